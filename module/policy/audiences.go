package policy

import (
	"net/netip"
	"slices"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

// EveryDoorRequires reports whether people with that role always need a second
// factor beside their password: every audience that is open to them and takes
// passwords requires one. It is false where no audience is. What it decides is
// how short a password may be.
func EveryDoorRequires(doors map[string]*Door, role identity.Role) bool {
	found := false
	for _, d := range doors {
		if !d.Admits(role) || !d.Password() {
			continue
		}
		if d.SecondFactor() != SecondFactorRequired {
			return false
		}
		found = true
	}
	return found
}

// OffersNewPassword reports whether somebody of that role may have a link for a
// new password mailed: an audience that they belong to takes passwords and lets
// people change theirs. Who has none so far and signs in through providers gets
// one only if none of these serves any such audience any more.
func OffersNewPassword(doors map[string]*Door, role identity.Role, hasPassword bool, sso []string) bool {
	offers := false
	for _, d := range doors {
		if !d.Admits(role) {
			continue
		}
		if !hasPassword && slices.ContainsFunc(sso, d.Assigned) {
			return false
		}
		offers = offers || d.Password() && d.PasswordChange()
	}
	return offers
}

// OffersTo reports whether people of that role at that address may sign in
// through the SSO config in any of their audiences.
func OffersTo(doors map[string]*Door, role identity.Role, sso string, client netip.Addr) bool {
	for _, d := range doors {
		if d.Admits(role) && d.Offers(sso, client) {
			return true
		}
	}
	return false
}

// Strictest decides whether a session opens what is not one audience's: the
// pages of a person's own account and the console. They ask for the strictest
// of what that person's audiences ask for; those that do not take the way in
// which the session was made have nothing to ask.
func Strictest(doors map[string]*Door, m Made) Verdict {
	verdict := NotMember
	for _, d := range doors {
		switch {
		case !d.Admits(m.Role):
		case m.SSO != "" && d.Assigned(m.SSO):
			return Opens
		case m.SSO == "" && d.Password():
			return StrictestDemand(doors, m.Role).Of(m)
		default:
			verdict = NeedsSignIn
		}
	}
	return verdict
}

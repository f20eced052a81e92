package profile

import (
	"bytes"
	"encoding/hex"
	"net/http"
	"slices"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// How many are shown, the newest: what a page may weigh.
const (
	maxSessions = 30
	maxDevices  = 10
)

// showAccount answers GET /account.
func (x *exchange) showAccount() {
	person := x.person
	known := person.Attributes
	page := pages.Account{
		Name:       known.Name,
		Email:      known.Email,
		Role:       string(known.Role),
		Rename:     x.mayRename(),
		SSO:        x.label(x.live.Session.SSO),
		SignedInAt: x.live.Session.SignedInAt,

		ChangePassword: x.mayChangePassword(),
		ManageFactors:  x.mayManageFactors(),
		ManageLinks:    x.mayManageLinks(),
		Factors:        x.factors(),
		RecoveryCodes:  person.RecoveryCodes,

		Notice: x.notice(pages.NoticeName, pages.NoticePassword, pages.NoticeSessionEnded, pages.NoticeOthersEnded,
			pages.NoticeForgotten, pages.NoticeGone, pages.NoticeMeanwhile),
	}
	if person.HasPassword {
		page.PasswordSince = person.PasswordSetAt
	}
	page.Sessions, page.MoreSessions = x.sessions(person.Sessions)
	if x.trustsDevices() {
		page.Devices, page.MoreDevices = devices(person.TrustedDevices)
	}
	page.Links = x.links()
	page.Flow = x.token()
	x.show(http.StatusOK, answer.Account, page)
}

// label is what people call an SSO config.
func (x *exchange) label(sso string) string {
	if label := x.Labels[sso]; label != "" {
		return label
	}
	return sso
}

// sessions are those that still open something, this one first, and how many
// there are beside those.
func (x *exchange) sessions(listed []store.Session) (shown []pages.AccountBrowser, more int) {
	alive := x.Sessions.Alive(listed, x.now)
	this := func(s store.Session) bool { return bytes.Equal(s.Family, x.live.Session.Family) }
	slices.SortStableFunc(alive, func(a, b store.Session) int {
		switch {
		case this(a):
			return -1
		case this(b):
			return 1
		}
		return b.SeenAt.Compare(a.SeenAt)
	})
	for i, s := range alive {
		if i == maxSessions {
			return shown, len(alive) - i
		}
		b := recognise(s.Browser)
		b.ID, b.Address, b.Since, b.Seen, b.This = hex.EncodeToString(s.ID), s.Address, s.SignedInAt, s.SeenAt, this(s)
		shown = append(shown, b)
	}
	return shown, 0
}

// trustsDevices reports whether any audience of the person's spares trusted
// browsers the passcode.
func (x *exchange) trustsDevices() bool {
	for _, d := range x.Doors {
		if d.Admits(x.person.Attributes.Role) && d.Password() && d.Demand().TrustDevice > 0 {
			return true
		}
	}
	return false
}

func devices(trusted []store.TrustedDevice) (shown []pages.AccountBrowser, more int) {
	for i, d := range trusted {
		if i == maxDevices {
			return shown, len(trusted) - i
		}
		b := recognise(d.Browser)
		b.ID, b.Address, b.Since, b.Seen = hex.EncodeToString(d.ID), d.Address, d.CreatedAt, d.UsedAt
		shown = append(shown, b)
	}
	return shown, 0
}

// factors are the person's second factors as they are shown.
func (x *exchange) factors() (shown []pages.AccountFactor) {
	person := x.person
	for _, f := range person.Factors {
		factor := pages.AccountFactor{
			ID: f.ID, Method: string(f.Method), Chosen: !f.Required,
			First: f.Preferred && len(person.Factors) > 1, Last: len(person.Factors) == 1,
			Fixed: !x.enough(person.Account, methodsBut(person.Factors, f.ID)),
			Since: f.CreatedAt, Used: f.UsedAt,
		}
		factor.Replace = f.Method != store.MethodEmail && x.canSend(f.Method) &&
			slices.Contains(x.demand().Offered, string(f.Method))
		switch f.Method {
		case store.MethodEmail:
			factor.Where = account.MaskEmail(person.Attributes.Email)
		case store.MethodSMS:
			factor.Where = account.MaskPhone(f.Address)
		}
		shown = append(shown, factor)
	}
	return shown
}

// methodsBut are the methods of all factors but one.
func methodsBut(factors []store.Factor, id string) (methods policy.Methods) {
	for _, f := range factors {
		if f.ID != id {
			methods |= policy.Method(string(f.Method))
		}
	}
	return methods
}

// enough reports whether somebody may do with second factors of these methods:
// somewhere of theirs may require one.
func (x *exchange) enough(a store.Account, left policy.Methods) bool {
	demand := policy.StrictestDemand(x.Doors, a.Attributes.Role)
	return demand.Of(policy.Made{Factors: left, SecondFactor: policy.Recovery}) != policy.NeedsEnrollment
}

package signin

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// linkFlow is what a flow knows that links a provider to the account of whoever
// is signed in. It is good for that session alone, as it was: somebody whose
// browser is led to another one's answer of the provider would otherwise give
// them their account.
type linkFlow struct {
	Account string `json:"a"`
	Session []byte `json:"s"` // its id
	Epoch   int64  `json:"e"`
}

// Link begins to link a provider to somebody's own account, and returns where
// their browser goes for that. It answers and returns false if that cannot be. It
// is for those who have just posted a form of the account page; see
// profile.Config.
func (c *Conversation) Link(w http.ResponseWriter, r *http.Request, visit policy.Visit, name string, self account.Self) (address string, ok bool) {
	link := &linkFlow{Account: self.AccountID, Session: self.Session, Epoch: self.Epoch}
	x := &exchange{Conversation: c, w: w, r: r, visit: visit, going: answer.Links, linking: link}
	if !x.active(name) {
		return "", false
	}
	return x.away(name, providerFlow{ReturnTo: answer.Links, Link: link})
}

// doing is what the person does at a provider, as the audit trail has it.
func (x *exchange) doing() string {
	if x.linking != nil {
		return "sso-link.add"
	}
	return "sign-in"
}

// linkStands reports whether whoever comes back from a provider is signed in as
// when they began to link it, in the same session and with a sign-in of a moment
// ago, or answers and returns false.
func (x *exchange) linkStands(name string, link *linkFlow) bool {
	live, err := x.Sessions.Find(x.r, x.visit.Secure)
	if err != nil {
		x.storeFault(err)
		return false
	}
	switch {
	case live == nil:
		err = errors.New("nobody is signed in in this browser any more")
	case live.Account.ID != link.Account, !bytes.Equal(live.Session.ID, link.Session):
		err = errors.New("it began in another session than the browser has now")
	case live.Session.Epoch != link.Epoch:
		err = errors.New("the account was changed since it began")
	case policy.Strictest(x.Doors, live.Made()) != policy.Opens:
		err = errors.New("the session does not open the account page any more")
	case !live.FreshAnyWay(x.Clock()):
		err = errors.New("the sign-in is too long ago by now")
	case !policy.OffersTo(x.Doors, live.Account.Attributes.Role, name, x.visit.Client):
		err = fmt.Errorf("sso %s is not offered to %s by any audience of the account", name, x.visit.Client)
	}
	if err != nil {
		x.linkEnded(name, err)
	}
	return err == nil
}

// finishLink links a provider, which vouches for somebody, to the account of
// whoever is signed in. It signs nobody in and makes no account.
func (x *exchange) finishLink(name string, link *linkFlow, assertion *sso.Assertion) {
	event := store.Event{
		Action: x.doing(), Outcome: audit.Success, AccountID: link.Account, Address: x.address(),
		How: "account page", Detail: linkDetail(name, assertion),
	}
	var owner store.Account
	said := asserted(name, assertion)
	self := account.Self{AccountID: link.Account, Session: link.Session, Epoch: link.Epoch}
	err := x.People.Link(x.detached(), self, said, x.Providers[name].Rules, func(tx store.Tx, a store.Account) error {
		owner = a
		return x.Trail.Within(tx, event)
	})
	refused := (*account.Refusal)(nil)
	switch {
	case err == nil:
		x.Trail.Announce(event)
		x.tellLinked(owner, name, assertion)
		id := account.LinkID(store.SSOLink{Issuer: said.Issuer, Subject: said.Subject})
		x.redirect(answer.Links + "?done=" + string(pages.NoticeLinked) + "&link=" + id)
	case errors.Is(err, account.ErrLinkedAlready):
		x.redirect(answer.Links + "?done=" + string(pages.NoticeLinkedAlready))
	case errors.Is(err, account.ErrSignedOut), errors.Is(err, account.ErrMeanwhile):
		x.linkEnded(name, err)
	case errors.As(err, &refused):
		event.Outcome, event.Detail = audit.Refused, refused.Error()
		x.Trail.Add(event)
		x.refuse(answer.Refusal{
			Kind: linkRefusals[refused.Reason], Cause: err, Way: pages.Way{Kind: pages.WayAccount},
			Detail: pages.Detail{SSO: x.Providers[name].Label, Email: said.Email},
		})
	default:
		x.storeFault(err)
	}
}

// linkRefusals are the pages for why a provider is not linked.
var linkRefusals = map[account.RefusalReason]pages.ErrorKind{
	account.NoEmail:         pages.NoEmail,
	account.Unverified:      pages.EmailUnverified,
	account.NotAdmitted:     pages.LinkNotAdmitted,
	account.LinkedElsewhere: pages.LinkElsewhere,
	account.IssuerLinked:    pages.LinkSecond,
}

// linkEnded answers that nothing was linked, since the person is not as they were
// when they began.
func (x *exchange) linkEnded(name string, cause error) {
	x.Trail.Add(store.Event{
		Action: x.doing(), Outcome: audit.Refused, AccountID: x.linking.Account, Address: x.address(),
		How: "account page", Detail: "sso " + name + ": " + cause.Error(),
	})
	x.refuse(answer.Refusal{Kind: pages.LinkEnded, Cause: cause, Detail: pages.Detail{SSO: x.Providers[name].Label}})
}

// linkDetail says which link it is, for the audit trail.
func linkDetail(name string, assertion *sso.Assertion) string {
	return fmt.Sprintf("sso %s as %s, subject %q", name, assertion.Email, assertion.Subject)
}

// tellLinked mails a person that a provider lets in to their account by now.
func (x *exchange) tellLinked(a store.Account, name string, assertion *sso.Assertion) {
	x.tell(a, letter.Notice{Kind: pages.LetterLinkAdded, SSO: x.Providers[name].Label, There: assertion.Email})
}

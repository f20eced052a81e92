package profile

import (
	"maps"
	"net/http"
	"slices"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// mayManageLinks reports whether the person has anything to manage: a provider
// is linked or can be.
func (x *exchange) mayManageLinks() bool {
	return len(x.person.SSOLinks) > 0 || len(x.linkable()) > 0
}

// linkable are the SSO configs that the person could use from here if they were
// linked, and that are not.
func (x *exchange) linkable() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(x.Issuers)) {
		linked := func(l store.SSOLink) bool { return l.Issuer == x.Issuers[name] }
		if policy.OffersTo(x.Doors, x.person.Attributes.Role, name, x.visit.Client) && !slices.ContainsFunc(x.person.SSOLinks, linked) {
			names = append(names, name)
		}
	}
	return names
}

// links are the person's links as they are shown.
func (x *exchange) links() (shown []pages.AccountLink) {
	links := x.person.SSOLinks
	for i, link := range links {
		shown = append(shown, pages.AccountLink{
			ID: account.LinkID(link), Label: x.label(link.SSO), Email: link.Email, Since: link.CreatedAt, Used: link.UsedAt,
			Fixed: !x.waysIn(x.person.Account, slices.Delete(slices.Clone(links), i, i+1), x.person.HasPassword),
			This:  x.madeThrough(link),
		})
	}
	return shown
}

// waysIn reports whether somebody could sign in somewhere with these links, or
// with a password if they have one.
func (x *exchange) waysIn(a store.Account, left []store.SSOLink, password bool) bool {
	for _, d := range x.Doors {
		if !d.Admits(a.Attributes.Role) {
			continue
		}
		if password && d.TakesPassword() {
			return true
		}
		for name, issuer := range x.Issuers {
			if d.Assigned(name) && slices.ContainsFunc(left, func(l store.SSOLink) bool { return l.Issuer == issuer }) {
				return true
			}
		}
	}
	return false
}

// madeThrough reports whether the session that asks was made through the
// provider of that link.
func (x *exchange) madeThrough(link store.SSOLink) bool {
	sso := x.live.Session.SSO
	return sso != "" && (sso == link.SSO || x.Issuers[sso] == link.Issuer)
}

// showLinks answers GET /account/links.
func (x *exchange) showLinks() {
	page := pages.AccountLinks{
		Links: x.links(),
		Notice: x.notice(pages.NoticeLinked, pages.NoticeLinkedAlready, pages.NoticeUnlinked, pages.NoticeOnlyWayIn,
			pages.NoticeGone, pages.NoticeMeanwhile),
	}
	if page.Notice == pages.NoticeLinked {
		i := slices.IndexFunc(page.Links, func(l pages.AccountLink) bool { return l.ID == x.query.Get("link") })
		if i < 0 {
			page.Notice = pages.NoNotice // not any more
		} else {
			page.Linked = page.Links[i]
		}
	}
	for _, name := range x.linkable() {
		page.Add = append(page.Add, pages.AccountProvider{SSO: name, Label: x.label(name)})
	}
	page.Flow = x.token()
	x.show(http.StatusOK, answer.Links, page)
}

// takeLinks answers POST /account/links: a provider is linked or removed.
func (x *exchange) takeLinks() {
	link, unlink := x.r.PostForm.Get("link"), x.r.PostForm.Get("unlink")
	switch {
	case (link == "") == (unlink == ""):
		x.unreadable("it does not say one thing to do")
	case link != "":
		x.link(link)
	default:
		x.unlink(unlink)
	}
}

// link sends the person on to a provider. Nothing is linked before they come
// back from there. They follow a link, since browsers hold a form against every
// address that its answer leads to, and providers send people around.
func (x *exchange) link(sso string) {
	if !slices.Contains(x.linkable(), sso) {
		x.done(answer.Links, pages.NoticeGone)
		return
	}
	if address, ok := x.Link(x.w, x.r, x.visit, sso, x.self()); ok {
		x.show(http.StatusOK, "", pages.AccountLinking{Label: x.label(sso), Href: address, Email: x.person.Attributes.Email})
	}
}

// unlink removes a link. Where this session was made through it, the person is
// signed out: signing in again would lead some straight to the provider that
// they have just removed.
func (x *exchange) unlink(id string) {
	i := slices.IndexFunc(x.person.SSOLinks, func(l store.SSOLink) bool { return account.LinkID(l) == id })
	if i < 0 {
		x.done(answer.Links, pages.NoticeGone)
		return
	}
	link := x.person.SSOLinks[i]
	event, then := x.did("sso-link.remove", "sso "+link.SSO)
	_, err := x.People.Unlink(x.detached(), x.self(), account.Unlinking{
		ID: id, Enough: x.waysIn, Issuer: func(sso string) string { return x.Issuers[sso] },
	}, then)
	if err != nil {
		x.failed(err, answer.Links)
		return
	}
	x.Trail.Announce(event)
	x.tell(letter.Notice{Kind: pages.LetterLinkRemoved, SSO: x.label(link.SSO)})
	if x.madeThrough(link) {
		x.redirect(answer.SignOut)
		return
	}
	x.done(answer.Links, pages.NoticeUnlinked)
}

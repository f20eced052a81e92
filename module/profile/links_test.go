package profile_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// linkID is what a link made by desk.links is called in forms.
func linkID(a store.Account, sso string) string {
	return account.LinkID(store.SSOLink{Issuer: "https://" + sso + ".example.test", Subject: a.ID})
}

// againAnyWay is where one shows again that it is oneself, with a password or to
// a provider.
const againAnyWay = "/auth-gateway/sign-in?again=any&return_to=%2Fauth-gateway%2Faccount%2Flinks"

// What the page offers to whom, in every configuration.
func TestLinksPage(t *testing.T) {
	off := policy.Off
	for _, tc := range []struct {
		name      string
		audiences audiences
		linked    string
		how       how
		has, not  []string
		status    int
	}{
		{"nothing is configured", audiences{"team": {}}, "", how{}, nil, nil, 404},
		{"one can be added", audiences{"team": {SSO: []string{"okta"}}}, "", how{}, []string{`name="link" value="okta"`}, []string{"unlink"}, 200},
		{"one is linked, another can be", audiences{"team": {SSO: []string{"okta", "google"}}}, "okta", how{}, []string{`name="unlink"`, `name="link" value="google"`}, []string{`value="okta"`}, 200},
		{"one of two SSO configs of an issuer", audiences{"team": {SSO: []string{"okta", "okta-customers"}}}, "okta", how{}, []string{`name="unlink"`}, []string{`name="link"`}, 200},
		{"from an address that it is not offered to", audiences{"team": {SSO: []string{"far"}}}, "", how{}, nil, nil, 404},
		{"in an audience of others", audiences{"team": {}, "staff": {SSO: []string{"okta"}, Roles: []string{"agent"}}}, "", how{}, nil, nil, 404},
		{"in another audience of theirs", audiences{"team": {}, "customers": {SSO: []string{"okta"}}}, "", how{}, []string{`name="link" value="okta"`}, nil, 200},
		{"the only way in", audiences{"team": {SSO: []string{"okta"}, Password: off}}, "okta", how{sso: "okta", proved: true}, []string{"only way in"}, []string{`name="unlink"`}, 200},
		{"one of two ways in", audiences{"team": {SSO: []string{"okta", "google"}, Password: off}}, "okta google", how{sso: "okta", proved: true}, []string{`name="unlink"`, "here as well"}, []string{"only way in"}, 200},
		{"beside one that is assigned to others", audiences{"team": {SSO: []string{"okta"}, Password: off}, "staff": {SSO: []string{"google"}, Roles: []string{"agent"}}}, "okta google", how{sso: "okta", proved: true}, []string{"only way in"}, nil, 200},
		{"one that has gone from the configuration", audiences{"team": {}}, "old", how{}, []string{`name="unlink"`, "old"}, []string{"only way in"}, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(t, tc.audiences)
			alice := d.add("alice@example.test")
			for _, sso := range strings.Fields(tc.linked) {
				d.links(alice, sso)
			}
			b := d.signIn(alice, tc.how)
			b.get(answer.Links).as(fmt.Sprint(tc.status)).has(tc.has...).lacks(tc.not...)
			overview, there := b.get(answer.Account).as("200"), `href="/auth-gateway/account/links"`
			if tc.status == 404 {
				overview.lacks(there)
			} else {
				overview.has(there)
			}
		})
	}
}

// Who may link and unlink: somebody who has shown a moment ago that it is them,
// with a password or to their provider. For what concerns the password and second
// factors a provider is not enough.
func TestLinksWantAFreshSignIn(t *testing.T) {
	for _, tc := range []struct {
		name  string
		how   how
		later time.Duration
		fresh bool
	}{
		{"a password", how{}, 5 * time.Minute, true},
		{"a password a while ago", how{}, 5*time.Minute + time.Second, false},
		{"a provider that asked", how{sso: "okta", proved: true}, 5 * time.Minute, true},
		{"a provider that asked a while ago", how{sso: "okta", proved: true}, 5*time.Minute + time.Second, false},
		{"a provider that sent on", how{sso: "okta"}, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(t, audiences{"team": {SSO: []string{"okta", "google"}}})
			alice := d.add("alice@example.test")
			d.links(alice, "okta")
			b := d.signIn(alice, tc.how)
			d.pass(tc.later)
			page := b.get(answer.Links)
			if !tc.fresh {
				before := d.state(alice)
				page.as("302 " + againAnyWay)
				b.post(answer.Links, "link", "google").as("303 " + againAnyWay)
				b.post(answer.Links, "unlink", linkID(alice, "okta")).as("303 " + againAnyWay)
				if d.state(alice) != before || len(d.linking) != 0 {
					t.Error("something was done")
				}
			} else {
				page.as("200")
				b.post(answer.Links, "link", "google").as("200").has(`href="https://google.example.test/authorize"`).says("alice@example.test")
			}
			if tc.how.sso != "" {
				b.get(passwordAddress).as("302 " + again(passwordAddress))
				b.get(answer.Factors).as("302 " + again(answer.Factors))
			}
		})
	}
}

// A link begins for the one who asks, in the session that asks.
func TestBeginLink(t *testing.T) {
	d := newDesk(t, audiences{"team": {SSO: []string{"okta", "okta-customers", "google", "far"}}})
	alice := d.add("alice@example.test")
	d.links(alice, "okta")
	b := d.signIn(alice, how{})
	before := d.state(alice)
	for _, sso := range []string{"okta", "okta-customers", "far", "nobody"} {
		b.post(answer.Links, "link", sso).as(done(answer.Links, pages.NoticeGone))
	}
	b.post(answer.Links).as("400")
	b.post(answer.Links, "link", "google", "unlink", linkID(alice, "okta")).as("400")
	elsewhere := b.send("POST", answer.Links, http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}, "link=google&flow="+token)
	elsewhere.as("403")
	b.get(answer.Links + "?link=google").as("200")
	if len(d.linking) != 0 {
		t.Fatalf("begun: %v", d.linking)
	}
	b.post(answer.Links, "link", "google").as("200").lacks("hreflang")
	if want := fmt.Sprintf("google %s %s %d", alice.ID, b.id, alice.Epoch); len(d.linking) != 1 || d.linking[0] != want {
		t.Errorf("begun: %v, want %s", d.linking, want)
	}
	if d.state(alice) != before {
		t.Error("something is linked already")
	}
}

func TestUnlink(t *testing.T) {
	team := audiences{"team": {SSO: []string{"okta", "google"}}}
	d := newDesk(t, team)
	d.mails()
	d.configure(team)
	alice, bob := d.add("alice@example.test"), d.add("bob@example.test")
	d.links(alice, "okta")
	d.links(alice, "google")
	d.links(bob, "google")
	b, through, other := d.signIn(alice, how{}), d.signIn(alice, how{sso: "okta", proved: true}), d.signIn(alice, how{sso: "google"})
	before := d.state(alice, bob)
	for _, id := range []string{linkID(bob, "google"), "x"} {
		b.post(answer.Links, "unlink", id).as(done(answer.Links, pages.NoticeGone))
	}
	if d.state(alice, bob) != before {
		t.Error("something was done")
	}

	b.post(answer.Links, "unlink", linkID(alice, "google")).as(done(answer.Links, pages.NoticeUnlinked))
	d.audited(alice, "sso-link.remove success: sso google")
	if told := d.mail.Next(t, "alice@example.test"); !strings.Contains(told.Text, "google") || !strings.Contains(told.Text, "192.0.2.7") {
		t.Errorf("told %q: %s", told.Subject, told.Text)
	}
	other.get(answer.Account).as("302 " + answer.SignInFor(answer.Account))
	through.get(answer.Account).as("200")
	b.get(answer.Links+"?done=unlinked").as("200").says("no longer lets you in", "Our company").has(`name="link" value="google"`)

	// Whoever removes what they are signed in with is signed out, and led
	// nowhere from where they would be sent to that provider.
	through.post(answer.Links, "unlink", linkID(alice, "okta")).as("303 " + answer.SignOut)
	through.get(answer.Account).as("302 " + answer.SignInFor(answer.Account))
	b.get(answer.Account).as("200").not("Our company")
}

// The only way in stays, whatever is posted.
func TestUnlinkTheOnlyWayIn(t *testing.T) {
	for name, audience := range map[string]policy.Audience{
		"password off":                        {SSO: []string{"okta"}, Password: policy.Off},
		"nobody is ever asked for a password": {SSO: []string{"okta"}, SignIn: policy.SignInRedirect, RedirectTo: "okta"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, audiences{"team": audience, "staff": {Roles: []string{"agent"}}})
			alice := d.add("alice@example.test")
			d.links(alice, "okta")
			b := d.signIn(alice, how{sso: "okta", proved: true})
			before := d.state(alice)
			b.get(answer.Links).as("200").lacks(`name="unlink"`)
			b.post(answer.Links, "unlink", linkID(alice, "okta")).as(done(answer.Links, pages.NoticeOnlyWayIn))
			if d.state(alice) != before {
				t.Error("something was done")
			}
			b.get(answer.Links + "?done=only_way_in").as("200").says("was not removed")
		})
	}
}

// The page says what was linked a moment ago, if it is there.
func TestLinkedNotice(t *testing.T) {
	d := newDesk(t, audiences{"team": {SSO: []string{"okta"}}})
	alice := d.add("alice@example.test")
	d.change(func(tx store.Tx) error {
		return tx.SaveSSOLink(store.SSOLink{Issuer: "https://okta.example.test", Subject: alice.ID, AccountID: alice.ID, SSO: "okta", Email: "alice@elsewhere.test", Added: true, CreatedAt: d.Now()})
	})
	b := d.signIn(alice, how{})
	b.get(answer.Links+"?done=linked&link="+linkID(alice, "okta")).as("200").says("You can now sign in with Our company as alice@elsewhere.test.", "Not used yet")
	b.get(answer.Links + "?done=linked&link=x").as("200").not("You can now sign in")
}

package signin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// shop has an open audience and one that wants a second factor.
func shop(t *testing.T) *site {
	return newSite(t, audiences{"customers": {}, "vault": {SecondFactor: "required"}},
		map[string]string{"/": "customers", "/vault": "vault"})
}

// Who lacks only the passcode is asked for that alone, and has a new session.
func TestStepUp(t *testing.T) {
	s := shop(t)
	alice := s.add("alice@example.test", password)
	app, _ := s.enroll(alice, true)
	b := s.browser()
	b.signIn("alice@example.test", password, "/").as("303 /")
	stolen := b.copy()
	before := s.sessions(alice)[0]
	s.pass(7 * time.Hour)
	r := b.get(signInFor("/vault/1"))
	flow := r.flow()
	if !strings.HasPrefix(r.location, answer.Passcode) {
		t.Fatalf("led to %s", r.location)
	}
	b.get(answer.SignIn).as("302 /") // the open part stays open
	b.passcode(flow, app.code()).as("303 /vault/1")
	b.get(signInFor("/vault/1")).as("302 /vault/1")
	stolen.is("")
	after := s.sessions(alice)
	if len(after) != 1 || after[0].SecondFactorAt.IsZero() || !after[0].ExpiresAt.Equal(before.ExpiresAt) {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// Signing out in one tab ends the step up in the other.
func TestStepUpAfterSigningOut(t *testing.T) {
	s := shop(t)
	alice := s.add("alice@example.test", password)
	app, _ := s.enroll(alice, true)
	b := s.browser()
	b.signIn("alice@example.test", password, "/").as("303 /")
	flow := b.get(signInFor("/vault")).flow()
	// The other tab's answer has not arrived, so its cookies are there still.
	tab := b.copy()
	elsewhere := b.copy()
	delete(elsewhere.cookies, "__Host-auth_gateway_flow_"+flow)
	elsewhere.post(answer.SignOut).as("303 " + answer.SignOut)
	tab.passcode(flow, app.code()).as("303 " + ended)
	tab.is("")
}

// An old session sets up no second factor: whoever finds it open would make
// their own phone the key.
func TestEnrollmentWantsAFreshSignIn(t *testing.T) {
	s := shop(t)
	s.add("alice@example.test", password)
	b := s.browser()
	b.signIn("alice@example.test", password, "/").as("303 /")
	s.pass(5 * time.Minute)
	if r := b.get(signInFor("/vault")); !strings.HasPrefix(r.location, answer.Enroll) {
		t.Fatalf("a fresh session is led to %d %s", r.status, r.location)
	}
	s.pass(time.Second)
	page := b.get(signInFor("/vault")).as("200")
	if page.field("email") != "" || page.field("return_to") != "/vault" {
		t.Error("an older one does not sign in again")
	}
	b.is("alice@example.test")
	r := b.signIn("alice@example.test", password, "/vault")
	code := s.app(b.get(r.location).key()).code()
	b.post(answer.Enroll, "flow", r.flow(), "passcode", code).as("200")
	b.get(signInFor("/vault")).as("302 /vault")
}

// Somebody whose role does not belong is told so, and is not sent round.
func TestNotMember(t *testing.T) {
	s := newSite(t, audiences{"customers": {}, "staff": {Roles: []string{"agent", "admin"}}},
		map[string]string{"/": "customers", "/staff": "staff"})
	alice := s.add("alice@example.test", password)
	b := s.browser()
	b.signIn("alice@example.test", password, "/staff").as("403").says("alice@example.test")
	s.audited("sign-in refused password: not of audience staff")
	b.is("")
	b.signIn("alice@example.test", password, "/").as("303 /")
	page := b.get(signInFor("/staff")).as("403")
	if !strings.Contains(page.body, `action="/auth-gateway/sign-out"`) || page.field("flow") == "" {
		t.Error("the page does not offer to sign in as somebody else")
	}
	b.is("alice@example.test")
	s.must(s.people.SetAttributes(t.Context(), alice.ID, func(a *identity.Attributes) error { a.Role = identity.Agent; return nil }, nil))
	b.get(signInFor("/staff")).as("302 /staff") // at once
	b.get(answer.WhoAmI).as("200")
}

func TestNotMemberThroughAProvider(t *testing.T) {
	okta := newProvider(t, "okta")
	s := newSite(t, audiences{"staff": {SSO: []string{"okta"}, Roles: []string{"agent"}}}, map[string]string{"/": "staff"}, okta)
	b := s.browser()
	b.get(callback + b.away(okta, start).Encode()).as("403")
	s.audited("sign-in refused sso okta: not of audience staff")
	b.is("")
	if _, err := s.people.Find(t.Context(), "alice@example.test"); err == nil {
		t.Error("an account was made for somebody who may not come in")
	}
}

// A session of the one way in does not open what takes only the other.
func TestTheOtherWayIn(t *testing.T) {
	okta := newProvider(t, "okta")
	s := newSite(t, audiences{"team": {SSO: []string{"okta"}, Password: policy.Off}, "customers": {}},
		map[string]string{"/": "customers", "/team": "team"}, okta)
	s.add("bob@example.test", password)
	b := s.browser()
	b.signIn("bob@example.test", password, "/").as("303 /")
	query := b.away(okta, signInFor("/team")) // straight to the provider
	b.get(callback + query.Encode()).as("302 /team")
	b.get(signInFor("/team")).as("302 /team")
	b.get(signInFor("/shop")).as("200") // asks for a password
	b.is("alice@example.test")          // who is there all the same
}

// The account page asks for the strictest of what the person's audiences ask.
func TestAccountPage(t *testing.T) {
	s := shop(t)
	alice := s.add("alice@example.test", password)
	app, _ := s.enroll(alice, true)
	b := s.browser()
	b.get(answer.Account).as("302 " + signInFor(answer.Account))
	b.signIn("alice@example.test", password, "/").as("303 /")
	b.get(answer.Account).as("302 " + signInFor(answer.Account))
	flow := b.get(signInFor(answer.Account)).flow()
	b.passcode(flow, app.code()).as("303 " + answer.Account)
	b.get(answer.Account).as("200").says("alice@example.test").says("10")
	b.get(answer.Account + "/nothing").as("404")
	script := s.browser()
	script.header = http.Header{"Accept": {"*/*"}}
	script.get(answer.Account).as("401")
}

// A site's own audience may take no passwords: its customers look after theirs all
// the same.
func TestOwnPagesOfAnotherAudience(t *testing.T) {
	okta := newProvider(t, "okta")
	s := newSite(t, audiences{"staff": {SSO: []string{"okta"}, Password: policy.Off}, "customers": {}},
		map[string]string{"/": "staff", "/shop": "customers"}, okta)
	alice := s.add("alice@example.test", password)
	b := s.browser()
	b.signIn("alice@example.test", password, "/shop").as("303 /shop")
	page := b.get(answer.Factors).as("200")
	wizard := b.get(b.post(answer.Enroll, "begin", "1", "method", "app", "flow", page.field("flow")).location).as("200")
	app := s.app(wizard.key())
	b.post(answer.Enroll, "passcode", app.code(), "flow", wizard.field("flow")).as("200")
	if chosen := s.factors(alice); len(chosen) != 1 {
		t.Fatalf("%d second factors", len(chosen))
	}

	s.pass(6 * time.Minute)
	again := answer.SignInAgain(answer.Account + "/password")
	page = b.get(again).as("200")
	if page.field("email") != "alice@example.test" {
		t.Errorf("the page asks %q", page.field("email"))
	}
	r := b.post(answer.SignIn, "again", "1", "email", "alice@example.test", "password", password, "return_to", page.field("return_to"), "flow", page.field("flow"))
	b.passcode(r.flow(), app.code()).as("303 " + answer.Account + "/password")
	b.get(answer.Account + "/password").as("200")
	b.get(signInFor("/shop")).as("302 /shop")
	b.away(okta, signInFor("/")) // the staff's door is as it was
	s.browser().away(okta, signInFor(answer.Account))
}

func TestWhoAmI(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	alice := s.add("alice@example.test", password)
	s.must(s.people.SetAttributes(t.Context(), alice.ID, func(a *identity.Attributes) error {
		a.Name, a.Groups, a.Fields = "<Alice>", []string{"ops"}, map[string]string{"team": "blue"}
		return nil
	}, nil))
	b := s.browser()
	r := b.get(answer.WhoAmI).as("401")
	if r.header.Get("WWW-Authenticate") == "" || r.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("401 with %v", r.header)
	}
	b.signIn("alice@example.test", password, "/").as("303 /")
	r = b.get(answer.WhoAmI).as("200")
	want := `{
  "email": "alice@example.test",
  "field.team": "blue",
  "groups": [
    "ops"
  ],
  "id": "` + alice.ID + `",
  "name": "\u003cAlice\u003e",
  "role": "end-user"
}
`
	if r.body != want || r.header.Get("Cache-Control") != "no-store" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("%v\n%s", r.header, r.body)
	}
}

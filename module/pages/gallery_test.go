package pages

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// sample is one page in one state.
type sample struct {
	name string
	view View
	page Page
}

const (
	testKey = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	testURL = "otpauth://totp/Example:alice@example.test?algorithm=SHA1&digits=6&issuer=Example&period=30&secret=" + testKey
)

// gallery is every page in every state, in no particular language.
func gallery() []sample {
	var all []sample
	add := func(name, self string, page Page) {
		all = append(all, sample{name, View{Host: "app.example.com", Self: self}, page})
	}
	signIn := SignIn{
		ReturnTo: "/reports?year=2026", Password: true, Reset: true,
		Buttons: []Button{{SSO: "okta", Href: "/auth-gateway/sso/okta/start?return_to=%2Freports"}, {SSO: "entra", Label: "Sign in with your company account", Href: "/auth-gateway/sso/entra/start"}},
	}
	add("sign-in", "/auth-gateway/sign-in?return_to=%2F", SignIn{ReturnTo: "/", Password: true, Reset: true})
	add("sign-in-choose", "/auth-gateway/sign-in?return_to=%2Freports", signIn)
	add("sign-in-one-button", "/auth-gateway/sign-in", SignIn{Buttons: signIn.Buttons[:1]})
	add("sign-in-buttons", "/auth-gateway/sign-in", SignIn{Buttons: signIn.Buttons, Flow: "f"})
	for _, m := range []Message{
		{Kind: WrongCredentials}, {Kind: FlowEnded},
		{Kind: WaitCredentials, Wait: time.Second}, {Kind: WaitCredentials, Wait: 5 * time.Minute}, {Kind: WaitCredentials, Wait: 24 * time.Hour},
		{Kind: FieldEmpty, Field: EmailField}, {Kind: FieldEmpty, Field: PasswordField},
		{Kind: FieldTooLong, Field: EmailField}, {Kind: FieldTooLong, Field: PasswordField},
	} {
		page := signIn
		page.Buttons, page.Email, page.Message = nil, "alice@example.test", m
		add("sign-in-"+string(m.Kind)+"-"+string(m.Field)+m.Wait.String(), "", page)
	}

	passcode := Passcode{Flow: "flow-1", Method: "app", StartOver: "/auth-gateway/sign-in?return_to=%2Freports"}
	add("passcode", "/auth-gateway/passcode", passcode)
	add("passcode-email", "/auth-gateway/passcode", Passcode{Flow: "f", Method: "email", SentTo: "a***@example.test"})
	add("passcode-sms", "/auth-gateway/passcode", Passcode{Flow: "f", Method: "sms", SentTo: "+81 ** **** 1234"})
	for _, recovery := range []bool{false, true} {
		for _, m := range []Message{
			{Kind: WrongPasscode}, {Kind: WaitPasscode, Wait: 3 * time.Minute}, {Kind: WaitPasscode, Wait: 3 * time.Hour},
			{Kind: FieldEmpty, Field: PasscodeField}, {Kind: FieldTooLong, Field: PasscodeField},
		} {
			page := passcode
			page.Message, page.Recovery = m, recovery
			name := "passcode-"
			if recovery {
				name = "recovery-code-"
			}
			add(name+string(m.Kind)+m.Wait.String(), "", page)
		}
	}

	enroll := Enroll{Flow: "flow-1", URL: testURL, Key: testKey, Step: 1, Steps: 2}
	add("enroll", "/auth-gateway/enroll", enroll)
	enroll.Message = Message{Kind: WrongPasscode}
	add("enroll-wrong_passcode", "", enroll)
	codes := []string{
		"k7wq-9dxm-2hfa-mq4t", "p3te-v8nc-6yjr-x2wd", "b5sg-4mzk-x2wd-7pxr", "h9qf-c7pa-3nve-8ksm", "t6jy-r2xb-8ksm-2hfa",
		"w4dh-z5ge-9fqc-6yjr", "n8va-k3mt-7pxr-5hdz", "c2yb-j6sw-5hdz-3nve", "x9ep-f4qk-6gtn-9fqc", "m7rc-8vja-2bwy-6gtn",
	}
	add("recovery-codes", "", RecoveryCodes{Codes: codes, Email: "alice@example.test", Continue: "/reports?year=2026", Step: 2, Steps: 2})
	add("recovery-codes-again", "", RecoveryCodes{Codes: codes, Email: "alice@example.test"})

	add("sign-out", "/auth-gateway/sign-out", SignOut{Email: "alice@example.test", Flow: "f"})
	add("sign-out-nobody", "/auth-gateway/sign-out", SignOut{})
	add("signed-out", "/auth-gateway/sign-out", SignedOut{})
	add("signed-out-still", "/auth-gateway/sign-out", SignedOut{StillAt: "okta", SignIn: "/auth-gateway/sign-in"})

	set := SetPassword{Token: "token-1", Email: "alice@example.test", MinLength: 15}
	add("set-password", "/auth-gateway/reset?token=token-1", set)
	set.Invitation = true
	add("set-password-invitation", "/auth-gateway/reset?token=token-1", set)
	for _, m := range []Message{
		{Kind: PasswordTooShort}, {Kind: PasswordTooLong}, {Kind: PasswordCommon}, {Kind: PasswordOwnWords},
		{Kind: FieldEmpty, Field: PasswordField}, {Kind: WaitCredentials, Wait: time.Minute},
	} {
		page := set
		page.Message = m
		add("set-password-"+string(m.Kind), "", page)
	}
	add("password-set", "", PasswordSet{})
	add("reset-ask", "/auth-gateway/reset", ResetAsk{})

	at := time.Date(2026, 3, 2, 9, 5, 0, 0, time.UTC)
	account := Account{
		Name: "Alice Doe", Email: "alice@example.test", Role: "agent", SignedInAt: at,
		Factor: "app", FactorSince: at.AddDate(0, -5, 3), RecoveryCodes: 9, Flow: "f", Back: "/reports",
	}
	add("account", "/auth-gateway/account", account)
	for i, factor := range []string{"", "email", "sms"} {
		page := account
		page.Name, page.SSO, page.Factor, page.RecoveryCodes = "", "okta", factor, i
		page.Role = []string{"end-user", "agent", "admin"}[i]
		add("account-"+page.Role, "/auth-gateway/account", page)
	}

	for _, kind := range slices.Sorted(maps.Keys(errorKinds)) {
		page := Error{Kind: kind, ErrorID: "k7wq9dxm"}
		page.Detail.Email = "alice@example.test"
		add("error-"+string(kind)+"-unnamed", "", page)
		page.Detail.SSO = "Okta"
		add("error-"+string(kind), "/reports?year=2026", page)
	}

	// Names that leave no place to break a line.
	long := View{Host: "a-rather-long-name-for-one-site.department.subsidiary.example.co.jp:8443"}
	longEmail := strings.Repeat("alice", 12) + "@" + strings.Repeat("long.", 12) + "example.test"
	all = append(all,
		sample{"long-sign-in", long, SignIn{Password: true, Email: longEmail, Buttons: []Button{{SSO: strings.Repeat("okta-", 12), Href: "/"}}}},
		sample{"long-recovery-codes", long, RecoveryCodes{Codes: codes, Email: longEmail}},
		sample{"long-account", long, Account{Name: strings.Repeat("Wolfeschlegel", 6), Email: longEmail, Role: "admin"}},
		sample{"long-error", long, Error{Kind: NotAllowed, Detail: Detail{Email: longEmail}}},
	)
	return all
}

// newPages fails the test if it cannot make them.
func newPages(t *testing.T, brand Brand, language string) *Pages {
	t.Helper()
	p, err := New(brand, language)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// write returns what Write answers.
func write(t *testing.T, p *Pages, v View, page Page) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	p.Write(w, http.StatusOK, v, page)
	if w.Code != http.StatusOK {
		_, err := p.prepare(v, page)
		t.Fatalf("status %d: %s %v", w.Code, strings.TrimSpace(w.Body.String()), err)
	}
	return w.Result()
}

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
	errorID = "K7WQ4DXM"
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
	three := append(slices.Clone(signIn.Buttons), Button{SSO: "partners", Label: "Partner account", Href: "/auth-gateway/sso/partners/start"})
	add("sign-in", "/auth-gateway/sign-in?return_to=%2F", SignIn{ReturnTo: "/", Password: true, Reset: true})
	add("sign-in-no-reset", "/auth-gateway/sign-in", SignIn{ReturnTo: "/", Password: true})
	add("sign-in-choose-one", "/auth-gateway/sign-in", SignIn{ReturnTo: "/", Password: true, Reset: true, Buttons: signIn.Buttons[:1]})
	add("sign-in-again", "/auth-gateway/sign-in", SignIn{ReturnTo: "/auth-gateway/account", Password: true, Reset: true, Email: "alice@example.test", Again: true})
	again := SignIn{ReturnTo: "/auth-gateway/account/links", Password: true, Email: "alice@example.test", Again: true, AnyWay: true, Buttons: signIn.Buttons}
	add("sign-in-again-any", "/auth-gateway/sign-in", again)
	again.Password, again.Buttons = false, again.Buttons[:1]
	add("sign-in-again-sso", "/auth-gateway/sign-in", again)
	add("sign-in-choose", "/auth-gateway/sign-in?return_to=%2Freports", signIn)
	add("sign-in-choose-three", "/auth-gateway/sign-in", SignIn{ReturnTo: "/", Password: true, Reset: true, Buttons: three})
	add("sign-in-one-button", "/auth-gateway/sign-in", SignIn{Buttons: signIn.Buttons[:1]})
	add("sign-in-one-button-flow_pushed_out", "/auth-gateway/sign-in?ended=others&return_to=%2Freports",
		SignIn{ReturnTo: "/reports", Buttons: signIn.Buttons[:1], Message: Message{Kind: FlowPushedOut}})
	add("sign-in-three-buttons", "/auth-gateway/sign-in", SignIn{Buttons: three, Flow: "f"})
	wrong := signIn
	wrong.Email, wrong.Message = "alice@example.test", Message{Kind: WrongCredentials}
	add("sign-in-choose-wrong", "/auth-gateway/sign-in?return_to=%2Freports", wrong)
	for _, m := range []Message{
		{Kind: WrongCredentials}, {Kind: FlowEnded}, {Kind: FlowPushedOut},
		{Kind: WaitCredentials, Wait: time.Second}, {Kind: WaitCredentials, Wait: 5 * time.Minute}, {Kind: WaitCredentials, Wait: 24 * time.Hour},
		{Kind: FieldEmpty, Field: EmailField}, {Kind: FieldEmpty, Field: PasswordField},
		{Kind: FieldTooLong, Field: EmailField}, {Kind: FieldTooLong, Field: PasswordField},
	} {
		page := signIn
		page.Buttons, page.Email, page.Message = nil, "alice@example.test", m
		if m.Field == EmailField {
			page.Email = ""
		}
		add("sign-in-"+named(m), "/auth-gateway/sign-in", page)
	}

	passcode := Passcode{Flow: "flow-1", Method: "app", StartOver: "/auth-gateway/sign-in?return_to=%2Freports"}
	add("passcode", "/auth-gateway/passcode", passcode)
	add("passcode-sms", "/auth-gateway/passcode", Passcode{Flow: "f", Method: "sms", Sent: Sent{To: "+81 ** **** 1234", Once: true}})
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
			add(name+named(m), "/auth-gateway/passcode", page)
		}
	}

	enroll := Enroll{Flow: "flow-1", URL: testURL, Key: testKey, Step: 1, Steps: 2}
	add("enroll", "/auth-gateway/enroll", enroll)
	for _, m := range []Message{
		{Kind: WrongPasscode}, {Kind: WaitPasscode, Wait: 3 * time.Minute},
		{Kind: FieldEmpty, Field: PasscodeField}, {Kind: FieldTooLong, Field: PasscodeField},
	} {
		page := enroll
		page.Message = m
		add("enroll-"+named(m), "/auth-gateway/enroll", page)
	}
	add("enroll-key-only", "/auth-gateway/enroll", Enroll{Flow: "f", URL: "otpauth://totp/" + strings.Repeat("x", 5000), Key: testKey})
	add("enroll-no-app", "/auth-gateway/enroll", Enroll{Flow: "f", URL: "https://example.test/", Key: testKey})
	codes := []string{
		"k7wq-9dxm-2hfa-mq4t", "p3te-v8nc-6yjr-x2wd", "b5sg-4mzk-x2wd-7pxr", "h9qf-c7pa-3nve-8ksm", "t6jy-r2xb-8ksm-2hfa",
		"w4dh-z5ge-9fqc-6yjr", "n8va-k3mt-7pxr-5hdz", "c2yb-j6sw-5hdz-3nve", "x9ep-f4qk-6gtn-9fqc", "m7rc-8vja-2bwy-6gtn",
	}
	add("recovery-codes", "", RecoveryCodes{Codes: codes, Email: "alice@example.test", Continue: "/reports?year=2026", Step: 2, Steps: 2})
	add("recovery-codes-again", "", RecoveryCodes{Codes: codes, Email: "alice@example.test"})

	add("sign-out", "/auth-gateway/sign-out", SignOut{Email: "alice@example.test", Flow: "f"})
	add("sign-out-nobody", "/auth-gateway/sign-out", SignOut{Here: true})
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
		add("set-password-"+named(m), "/auth-gateway/reset?token=token-1", page)
	}
	add("password-set", "", PasswordSet{})
	add("reset-ask", "/auth-gateway/reset", ResetAsk{})
	add("reset-ask-mail", "/auth-gateway/reset", ResetAsk{Mail: true, Flow: "f"})
	add("reset-ask-mail-back", "/auth-gateway/reset", ResetAsk{Mail: true, SignIn: "/auth-gateway/sign-in?return_to=%2Freports"})
	for _, m := range []Message{
		{Kind: FieldEmpty, Field: EmailField}, {Kind: FieldTooLong, Field: EmailField}, {Kind: WaitCredentials, Wait: 5 * time.Minute},
	} {
		add("reset-ask-"+named(m), "/auth-gateway/reset", ResetAsk{Mail: true, Email: "alice@example.test", Message: m})
	}
	add("reset-sent", "", ResetSent{Email: "alice@example.test"})

	for _, kind := range slices.Sorted(maps.Keys(errorKinds)) {
		page := Error{Kind: kind, ErrorID: errorID, Detail: Detail{Email: "alice@example.test"}}
		if kind.Status() == http.StatusBadGateway || kind == NoEmail {
			add("error-"+string(kind)+"-unnamed", "", page)
		}
		page.Detail.SSO = "Okta"
		add("error-"+string(kind), "/auth-gateway/sso/okta/start?return_to=%2Freports", page)
		view := &all[len(all)-1].view
		switch kind {
		case OriginUnclear:
			*view = View{} // what cannot be told cannot be shown
		case NotAllowed, NothingSent, AmbiguousPath, StoreUnavailable, TooEarly:
			view.Self, view.Again = "", "/reports?year=2026" // the app's own address
		}
	}
	for _, way := range []Way{
		{Kind: WaySignIn, Href: "/auth-gateway/sign-in?return_to=%2Freports"}, {Kind: WayTryAgain, Href: "/auth-gateway/sign-in"},
		{Kind: WayBack, Href: "/"}, {Kind: WayAccount}, {Kind: WaySwitchAccount, Flow: "f", ReturnTo: "/x", Here: true},
	} {
		add("way-"+string(way.Kind), "", Error{Kind: FlowExpired, ErrorID: errorID, Way: way})
	}

	all = append(all, passcodeGallery()...)
	all = append(all, enrollGallery()...)
	return slices.Concat(all, accountGallery(), longGallery(codes))
}

// longGallery has names that leave no place to break a line.
func longGallery(codes []string) []sample {
	host := View{Host: "a-rather-long-name-for-one-site.department.subsidiary.example.co.jp:8443", Self: "/auth-gateway/sign-in"}
	email := strings.Repeat("alice", 12) + "@" + strings.Repeat("long.", 12) + "example.test"
	japanese := strings.Repeat("従業員福利厚生総合情報システム", 3)
	return append([]sample{
		{"long-sign-in", host, SignIn{Password: true, Reset: true, Email: email, Buttons: []Button{
			{SSO: strings.Repeat("okta-", 12), Href: "/"}, {Label: strings.Repeat("Donaudampfschifffahrtsgesellschaft", 2), Href: "/"}, {Label: japanese, Href: "/"},
		}}},
		{"long-passcode", host, Passcode{Method: "email", Sent: Sent{To: email, Once: true}, Message: Message{Kind: WaitPasscode, Wait: 24 * time.Hour}}},
		{"long-enroll", host, Enroll{URL: testURL, Key: testKey, Step: 1, Steps: 2}},
		{"long-recovery-codes", host, RecoveryCodes{Codes: codes, Email: email}},
		{"long-sign-out", host, SignOut{Email: email}},
		{"long-signed-out", host, SignedOut{StillAt: strings.Repeat("okta-", 12)}},
		{"long-set-password", host, SetPassword{Email: email, MinLength: 15, Invitation: true}},
		{"long-error", host, Error{Kind: NotAllowed, Detail: Detail{Email: email}, ErrorID: errorID}},
		{"long-provider-error", host, Error{Kind: InvalidClient, Detail: Detail{SSO: japanese}, ErrorID: errorID}},
	}, longAccountGallery(host, email, japanese)...)
}

// named is how a sample with that message is called.
func named(m Message) string {
	name := string(m.Kind)
	if m.Field != "" {
		name += "-" + string(m.Field)
	}
	if m.Wait > 0 {
		name += "-" + m.Wait.String()
	}
	return name
}

// exhibition is a gallery as one operator's people see it.
type exhibition struct {
	prefix  string
	brand   Brand
	samples []sample
}

// exhibitions are all states, and the main ones with brands that change them.
func exhibitions() []exhibition {
	all := gallery()
	some := func(names ...string) []sample {
		return slices.DeleteFunc(slices.Clone(all), func(s sample) bool { return !slices.Contains(names, s.name) })
	}
	main := some("sign-in-choose", "sign-in-wrong_credentials", "passcode", "enroll", "recovery-codes", "account", "error-not_allowed")
	few := some("sign-in-choose", "error-not_allowed")
	return []exhibition{
		{"", Brand{}, all},
		{"logo-", Brand{Name: "Example Ltd.", Logo: "testdata/logo.svg", Accent: "#0b6e4f"}, main},
		{"adapting-logo-", Brand{Name: "Example Ltd.", Logo: "testdata/logo-adapts.svg", Accent: "#0b6e4f"}, few},
		{"named-", Brand{Name: "Example Ltd.", Accent: "#ffcc00"}, few},
		{"black-", Brand{Name: "Example Ltd.", Accent: "#000"}, few},
		{"long-name-", Brand{Name: strings.Repeat("Wolfeschlegel", 6)[:MaxBrandName-4], Accent: "#b3261e"}, few},
		{"japanese-name-", Brand{Name: strings.Repeat("株式会社例示総合研究所", 7), Accent: "#7a3cff"}, few},
	}
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

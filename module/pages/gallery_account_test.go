package pages

import (
	"fmt"
	"strings"
	"time"
)

// accountGallery is a person's own page in every state.
func accountGallery() []sample {
	var all []sample
	add := func(name string, page Page) {
		self := "/auth-gateway/account"
		switch page.(type) {
		case AccountName:
			self += "/name"
		case AccountPassword:
			self += "/password"
		case AccountFactors:
			self += "/second-factor"
		case AccountLinks:
			self += "/links"
		case AccountLinking:
			self = ""
		}
		all = append(all, sample{"account" + name, View{Host: "app.example.com", Self: self}, page})
	}
	at := time.Date(2026, 3, 2, 9, 5, 0, 0, time.UTC)
	before := func(days int) time.Time { return at.AddDate(0, 0, -days) }

	app := AccountFactor{ID: "1", Method: "app", Chosen: true, Since: before(150), Used: at}
	email := AccountFactor{ID: "2", Method: "email", Where: "a***@example.test", Chosen: true, Since: before(20)}
	sms := AccountFactor{ID: "3", Method: "sms", Where: "+49 *** 67", Since: before(300), Used: before(3)}
	laptop := AccountBrowser{ID: "a1", Browser: "Firefox", System: "Windows", Address: "203.0.113.7", Since: at, Seen: at, This: true}
	phone := AccountBrowser{ID: "b2", Browser: "Safari", System: "iPhone", Address: "2001:db8:85a3:8d3:1319:8a2e:370:7348", Since: before(2), Seen: before(1)}
	script := AccountBrowser{ID: "c3", Given: "curl/8.5.0", Address: "198.51.100.23", Since: before(6), Seen: before(5)}
	nobody := AccountBrowser{ID: "d4", Since: before(9), Seen: before(9)}
	tablet := AccountBrowser{ID: "e5", System: "Android", Address: "198.51.100.23", Since: before(12), Seen: before(10)}
	account := Account{
		Name: "Alice Doe", Email: "alice@example.test", Role: "agent", Rename: true, SignedInAt: at,
		PasswordSince: before(200), ChangePassword: true, ManageFactors: true, Factors: []AccountFactor{app}, RecoveryCodes: 9,
		Devices: []AccountBrowser{laptop}, Sessions: []AccountBrowser{laptop, phone}, Flow: "f", Back: "/reports",
	}
	add("", account)

	plain := Account{Name: "Alice Doe", Email: "alice@example.test", Role: "end-user", SignedInAt: at, PasswordSince: before(1), Sessions: []AccountBrowser{laptop}}
	add("-least", plain)
	plain.Name, plain.Rename, plain.ManageFactors = "", true, true
	add("-no-factor", plain)
	sso := Account{
		Email: "alice@example.test", Role: "admin", SSO: "Okta", SignedInAt: at, Sessions: []AccountBrowser{laptop, script, nobody, tablet},
		Links:       []AccountLink{{Label: "Okta", Since: before(400), Used: at}, {Label: "Partner account", Email: "alice@partner.test", Since: before(90)}},
		ManageLinks: true,
	}
	add("-sso", sso)
	plain.ManageFactors, plain.ManageLinks = false, true
	add("-no-link", plain)
	full := account
	full.Factors, full.RecoveryCodes = []AccountFactor{app, email, sms}, 1
	full.Devices, full.MoreDevices = []AccountBrowser{laptop, phone, tablet}, 1
	full.Sessions, full.MoreSessions, full.Links = []AccountBrowser{laptop, phone, script, nobody, tablet}, 50, sso.Links
	add("-full", full)
	for _, notice := range []Notice{NoticeName, NoticePassword, NoticeSessionEnded, NoticeOthersEnded, NoticeForgotten, NoticeGone, NoticeMeanwhile} {
		page := account
		page.Notice = notice
		add("-notice-"+string(notice), page)
	}

	add("-name", AccountName{Name: "Alice Doe", Flow: "f"})
	add("-name-unusable", AccountName{Name: strings.Repeat("Alice", 60), Message: Message{Kind: NameUnusable}})
	password := AccountPassword{Email: "alice@example.test", MinLength: 15, Flow: "f"}
	add("-password", password)
	for _, m := range []Message{
		{Kind: PasswordTooShort}, {Kind: PasswordTooLong}, {Kind: PasswordCommon}, {Kind: PasswordOwnWords}, {Kind: FieldEmpty, Field: PasswordField},
	} {
		page := password
		page.Message = m
		add("-password-"+named(m), page)
	}

	one := app
	one.Last = true
	app.Replace, sms.Replace = true, true
	two := []AccountFactor{app, email}
	two[0].First = true
	add("-factors", AccountFactors{Factors: []AccountFactor{one}, Add: []string{"email", "sms"}, RecoveryCodes: 9, Flow: "f"})
	add("-factors-none", AccountFactors{Add: []string{"app", "email", "sms"}, Flow: "f"})
	add("-factors-nothing", AccountFactors{})
	add("-factors-two", AccountFactors{Factors: two, Add: []string{"sms"}, RecoveryCodes: 10, Flow: "f"})
	add("-factors-three", AccountFactors{Factors: []AccountFactor{two[0], email, sms}, RecoveryCodes: 10, Flow: "f"})
	one.Fixed, one.Chosen = true, false
	add("-factors-fixed", AccountFactors{Factors: []AccountFactor{one}, RecoveryCodes: 0, Flow: "f"})
	one.Replace = true
	add("-factors-fixed-replace", AccountFactors{Factors: []AccountFactor{one}, RecoveryCodes: 3, Flow: "f"})
	add("-factors-fixed-more", AccountFactors{Factors: []AccountFactor{one}, Add: []string{"email"}, RecoveryCodes: 3, Flow: "f"})
	one.Fixed = false
	add("-factors-idle", AccountFactors{Factors: []AccountFactor{one}, Idle: true, RecoveryCodes: 4, Flow: "f"})
	add("-factors-keep", AccountFactors{Factors: []AccountFactor{one}, Idle: true, Keep: true, Add: []string{"email"}, RecoveryCodes: 4, Flow: "f"})
	for _, notice := range []Notice{NoticeFactorRemoved, NoticeFactorPreferred, NoticeFactorsKept, NoticeStillRequired} {
		add("-factors-notice-"+string(notice), AccountFactors{Factors: two, RecoveryCodes: 10, Flow: "f", Notice: notice})
	}
	okta := AccountLink{ID: "1", Label: "Okta", Email: "alice@example.test", Since: before(400), Used: at, This: true}
	google := AccountLink{ID: "2", Label: "Google", Email: "alice@private.test", Since: before(1)}
	providers := []AccountProvider{{SSO: "entra", Label: "Company account"}, {SSO: "gitlab", Label: "gitlab"}}
	add("-links", AccountLinks{Links: []AccountLink{okta, google}, Add: providers, Flow: "f"})
	add("-links-none", AccountLinks{Add: providers, Flow: "f"})
	add("-links-all", AccountLinks{Links: []AccountLink{google}, Flow: "f"})
	add("-links-linked", AccountLinks{Links: []AccountLink{okta, google}, Flow: "f", Notice: NoticeLinked, Linked: google})
	okta.Fixed = true
	add("-links-fixed", AccountLinks{Links: []AccountLink{okta}, Add: providers, Flow: "f"})
	for _, notice := range []Notice{NoticeLinkedAlready, NoticeUnlinked, NoticeOnlyWayIn} {
		add("-links-notice-"+string(notice), AccountLinks{Links: []AccountLink{okta}, Flow: "f", Notice: notice})
	}
	add("-linking", AccountLinking{Label: "Google", Email: "alice@example.test", Href: "https://accounts.example.test/authorize?x=y"})
	codes := strings.Fields(strings.Repeat("k7wq-9dxm-2hfa-mq4t ", 10))
	add("-recovery-codes", RecoveryCodes{Codes: codes, Email: "alice@example.test", Continue: "/auth-gateway/account/second-factor", Account: true})
	return all
}

// longAccountGallery has what leaves no place to break a line, and much of it.
func longAccountGallery(host View, email, japanese string) []sample {
	at := time.Date(2026, 12, 28, 23, 59, 0, 0, time.UTC)
	browser := AccountBrowser{ID: strings.Repeat("0f", 32), Given: strings.Repeat("Mozilla/5.0(compatible;)", 10), Address: "2001:db8:85a3:8d3:1319:8a2e:1370:7348", Since: at, Seen: at}
	factor := AccountFactor{ID: "1", Method: "email", Where: "a***@" + strings.Repeat("long.", 12) + "example.test", Since: at, Used: at}
	// As much as is shown at once.
	many := Account{Name: "Alice", Email: "alice@example.test", Role: "end-user", SignedInAt: at, MoreSessions: 970, MoreDevices: 5, PasswordSince: at, ChangePassword: true, ManageFactors: true, Rename: true, Factors: []AccountFactor{factor, factor, factor}, Flow: strings.Repeat("f", 43)}
	for i := range 10 {
		many.Devices = append(many.Devices, AccountBrowser{ID: fmt.Sprintf("%064x", i), Browser: "Samsung Internet", System: "Android", Address: "203.0.113.7", Since: at, Seen: at})
	}
	for i := range 30 {
		many.Sessions = append(many.Sessions, AccountBrowser{
			ID: fmt.Sprintf("%064x", i), Browser: "Firefox", System: "Windows", Address: "203.0.113.7", Since: at, Seen: at, This: i == 0,
		})
	}
	return []sample{
		{"long-account", host, Account{
			Name: strings.Repeat("Wolfeschlegel", 6), Email: email, Role: "admin", SSO: japanese, Factors: []AccountFactor{factor},
			Devices: []AccountBrowser{browser}, Sessions: []AccountBrowser{browser, browser}, Links: []AccountLink{{Label: japanese, Email: email, Since: at, Used: at}},
		}},
		{"long-account-links", host, AccountLinks{
			Links: []AccountLink{{ID: "1", Label: japanese, Email: email, Since: at, Used: at}, {ID: "2", Label: strings.Repeat("Google", 6), Since: at}},
			Add:   []AccountProvider{{SSO: "a", Label: japanese}, {SSO: "b", Label: strings.Repeat("Google", 6)}}, Notice: NoticeLinked,
			Linked: AccountLink{Label: japanese, Email: email},
		}},
		{"long-account-linking", host, AccountLinking{Label: japanese, Email: email, Href: "https://accounts.example.test/authorize"}},
		{"long-account-many", host, many},
		{"long-account-name", host, AccountName{Name: strings.Repeat("Wolfeschlegel", 6)}},
		{"long-account-password", host, AccountPassword{Email: email, MinLength: 15}},
		{"long-account-factors", host, AccountFactors{Factors: []AccountFactor{factor}, Add: []string{"app"}}},
	}
}

package pages

import (
	"bytes"
	"html/template"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// letters are all that are written, in every state.
func letters() []LetterTo {
	link := LetterTo{
		Host: "app.example.com", Email: "alice@example.test",
		Link: "https://app.example.com/auth-gateway/reset?token=tok-1", Lifetime: time.Hour,
	}
	reset, invitation := link, link
	reset.Kind, invitation.Kind, invitation.Lifetime = LetterReset, LetterInvitation, 72*time.Hour
	report := link
	report.Kind, report.Lifetime = LetterReport, 24*time.Hour
	changed := LetterTo{
		Kind: LetterPasswordChanged, Host: "app.example.com", Email: "alice@example.test",
		At: time.Date(2026, 3, 2, 9, 5, 0, 0, time.UTC), Address: "192.0.2.1",
	}
	nowhere := changed
	nowhere.Address = ""
	all := []LetterTo{reset, invitation, report, changed, nowhere}
	for _, kind := range []LetterKind{LetterPasscode, LetterFactorCode} {
		all = append(all, LetterTo{Kind: kind, Host: "app.example.com", Email: "alice@example.test", Code: "048213", Lifetime: 10 * time.Minute})
	}
	for _, kind := range []LetterKind{LetterRecoveryCodes, LetterAddressChanged, LetterFactorRemoved} {
		notice := changed
		notice.Kind = kind
		all = append(all, notice)
	}
	for _, kind := range []LetterKind{LetterFactorAdded, LetterFactorRemoved} {
		for _, method := range []string{"app", "email", "sms"} {
			notice := changed
			notice.Kind, notice.Method = kind, method
			all = append(all, notice)
		}
	}
	for _, kind := range []LetterKind{LetterLinkAdded, LetterLinkRemoved} {
		notice := changed
		notice.Kind, notice.SSO, notice.There = kind, "Okta", "alice@private.test"
		if kind == LetterLinkRemoved {
			notice.There = ""
		}
		all = append(all, notice)
	}
	return all
}

func TestLetters(t *testing.T) {
	for _, brand := range []Brand{{}, {Name: "Exämple <GmbH>", Accent: "#ffee00"}} {
		p := newPages(t, brand, "")
		for _, language := range []string{"en", "ja", ""} {
			for _, to := range letters() {
				to.Language = language
				t.Run(string(to.Kind)+" "+language+" "+brand.Name, func(t *testing.T) {
					got, err := p.Letter(to)
					if err != nil {
						t.Fatal(err)
					}
					if got.Subject == "" || strings.ContainsAny(got.Subject, "\r\n{") || strings.Contains(got.Subject, "tok-1") || to.Code != "" && strings.Contains(got.Subject, to.Code) {
						t.Errorf("subject %q", got.Subject)
					}
					for form, text := range map[string]string{"text": got.Text, "html": got.HTML} {
						if strings.Contains(text, "{") && form == "text" || strings.Contains(text, "ZgotmplZ") {
							t.Errorf("%s: %s", form, text)
						}
						for _, part := range []string{to.Link, to.Email, to.Host, to.Address, to.Code, to.SSO, to.There} {
							if !strings.Contains(text, template.HTMLEscapeString(part)) {
								t.Errorf("%s: no %q in %s", form, part, text)
							}
						}
					}
					if to.Code != "" && (!strings.Contains(got.Text, "\n"+to.Code+"\n") || !strings.Contains(got.HTML, ">"+to.Code+"<") || !strings.Contains(got.Text, "10")) {
						t.Errorf("the code does not stand alone, or for how long is not said: %s", got.Text)
					}
					if _, err := html.Parse(bytes.NewBufferString(got.HTML)); err != nil {
						t.Error(err)
					}
					want := language
					if want == "" {
						want = "en"
					}
					if !strings.Contains(got.HTML, `<html lang="`+want+`">`) || len(got.HTML) > 10_000 {
						t.Errorf("%d bytes: %s", len(got.HTML), got.HTML)
					}
					if ja := strings.Contains(got.Text, "。"); ja != (want == "ja") {
						t.Errorf("language: %s", got.Text)
					}
				})
			}
		}
	}
}

// What people are called gets nowhere but into the text.
func TestHostileLetters(t *testing.T) {
	p := newPages(t, Brand{Name: `"><script>alert(1)</script>`}, "")
	got, err := p.Letter(LetterTo{Kind: LetterReset, Host: "<b>host", Email: "a\"><img src=x>@example.test", Link: "javascript:alert(1)"})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img", "<b>", `href="javascript:`} {
		if strings.Contains(got.HTML, bad) {
			t.Errorf("%s is in %s", bad, got.HTML)
		}
	}
	if _, err := p.Letter(LetterTo{Kind: "love"}); err == nil {
		t.Error("a letter that does not exist was written")
	}
}

package pages

import (
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// TestPasscodeForms: what each form of the passcode page and the wizard posts,
// and where people get who have no passcode yet, or can have no more.
func TestPasscodeForms(t *testing.T) {
	p := newPages(t, Brand{}, "en")
	to := Sent{To: "a***@example.test"}
	once, enough, spent := to, to, to
	once.Once, enough.Once, enough.Enough, spent.Enough = true, true, true, true
	const number = "+819012345678"
	recovery := "/auth-gateway/passcode flow=f recovery=1 passcode | Continue with recovery code"
	for _, test := range []struct {
		name  string
		page  Page
		forms []string // address, fields and buttons; the one that is primary with a star
		link  string   // the way out
	}{
		{"app", Passcode{Flow: "f", Method: "app"}, []string{
			"/auth-gateway/passcode flow=f method=app passcode | Continue*", recovery,
		}, "Start over"},
		{"app among others, in a browser to trust", Passcode{Flow: "f", Method: "app", Others: []string{"email", "sms"}, TrustDevice: time.Hour}, []string{
			"/auth-gateway/passcode flow=f method=app passcode trust_device=on | Continue*",
			"/auth-gateway/passcode flow=f | method=email Get a passcode by e-mail | method=sms Get a passcode by SMS", recovery,
		}, "Start over"},
		{"trust is kept", Passcode{Flow: "f", Method: "app", TrustDevice: time.Hour, Trust: true}, []string{
			"/auth-gateway/passcode flow=f method=app passcode trust_device=on+ | Continue*", recovery,
		}, "Start over"},
		{"none sent yet", Passcode{Flow: "f", Method: "email", Sent: to, TrustDevice: time.Hour}, []string{
			"/auth-gateway/passcode flow=f method=email | Send the passcode*", recovery,
		}, "Start over"},
		{"sent", Passcode{Flow: "f", Method: "email", Sent: once}, []string{
			"/auth-gateway/passcode flow=f method=email passcode | Continue*",
			"/auth-gateway/passcode flow=f method=email | Send again", recovery,
		}, "Start over"},
		{"guessed too often", Passcode{Flow: "f", Method: "email", Sent: once, Message: Message{Kind: SentCodeOver}}, []string{
			"/auth-gateway/passcode flow=f method=email | Send the passcode*", recovery,
		}, "Start over"},
		{"the last one that is sent", Passcode{Flow: "f", Method: "email", Sent: enough}, []string{
			"/auth-gateway/passcode flow=f method=email passcode | Continue*", recovery,
		}, "Start over"},
		{"the last one guessed too often", Passcode{Flow: "f", Method: "email", Sent: enough, Others: []string{"app"}, Message: Message{Kind: SentCodeOver}}, []string{
			"/auth-gateway/passcode flow=f | method=app Use your authenticator app", recovery,
		}, "Start over*"},
		{"nothing but recovery codes", Passcode{Flow: "f", TrustDevice: time.Hour}, []string{
			"/auth-gateway/passcode flow=f recovery=1 passcode trust_device=on | Continue with recovery code*",
		}, "Start over"},

		{"wizard: app", Enroll{Flow: "f", URL: testURL, Key: testKey, Others: []string{"sms"}}, []string{
			"/auth-gateway/enroll flow=f method=app passcode | Continue*",
			"/auth-gateway/enroll flow=f | method=sms By SMS",
		}, "Start over"},
		{"wizard: mail, none sent yet", Enroll{Flow: "f", Method: "email", Sent: to, ByChoice: true}, []string{
			"/auth-gateway/enroll flow=f method=email | Send the passcode*",
		}, "Cancel"},
		{"wizard: mail, sent", Enroll{Flow: "f", Method: "email", Sent: once}, []string{
			"/auth-gateway/enroll flow=f method=email passcode | Continue*",
			"/auth-gateway/enroll flow=f method=email | Send again",
		}, "Start over"},
		{"wizard: phone", Enroll{Flow: "f", Method: "sms"}, []string{
			"/auth-gateway/enroll flow=f method=sms phone | Send the passcode*",
		}, "Start over"},
		{"wizard: phone, sent", Enroll{Flow: "f", Method: "sms", Phone: number, Sent: once}, []string{
			"/auth-gateway/enroll flow=f method=sms passcode | Continue*",
			"/auth-gateway/enroll flow=f method=sms phone=" + number + " | Send again",
			"/auth-gateway/enroll flow=f method=sms | Change the number",
		}, "Start over"},
		{"wizard: no more", Enroll{Flow: "f", Method: "sms", Phone: number, Sent: spent, ByChoice: true}, nil, "Cancel*"},
	} {
		root, err := html.Parse(write(t, p, View{Host: "h"}, test.page).Body)
		if err != nil {
			t.Fatal(err)
		}
		d := &document{t: t, root: root, ids: map[string]*html.Node{}}
		d.index(root)
		var forms []string
		for _, n := range d.elements("form") {
			forms = append(forms, d.posts(n))
		}
		if got, want := strings.Join(forms, "\n"), strings.Join(test.forms, "\n"); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, want)
		}
		var links []string
		for _, n := range d.elements("a") {
			if strings.HasPrefix(attr(n, "href"), "/auth-gateway/sign-in") {
				links = append(links, d.text(n)+star(n))
			}
		}
		if got := strings.Join(links, ", "); got != test.link {
			t.Errorf("%s: the way out is %q, want %q", test.name, got, test.link)
		}
	}
}

// posts is what a form posts, and its buttons.
func (d *document) posts(form *html.Node) string {
	said := attr(form, "action")
	for n := range form.Descendants() {
		switch n.Data {
		case "input":
			said += " " + attr(n, "name")
			if has(n, "value") && attr(n, "type") != "tel" {
				said += "=" + attr(n, "value")
			}
			if has(n, "checked") {
				said += "+"
			}
		case "button":
			said += " | "
			if name := attr(n, "name"); name != "" {
				said += name + "=" + attr(n, "value") + " "
			}
			said += d.text(n) + star(n)
		}
	}
	return said
}

// star marks what is primary.
func star(n *html.Node) string {
	if strings.Contains(attr(n, "class"), "primary") {
		return "*"
	}
	return ""
}

// TestTrustFor says how long a browser is trusted, and never more.
func TestTrustFor(t *testing.T) {
	p := newPages(t, Brand{}, "en")
	for d, want := range map[time.Duration]string{
		time.Minute:         "1\u00a0minute",
		90 * time.Minute:    "90\u00a0minutes",
		time.Hour:           "1\u00a0hour",
		12 * time.Hour:      "12\u00a0hours",
		24 * time.Hour:      "1\u00a0day",
		36 * time.Hour:      "36\u00a0hours",
		30 * 24 * time.Hour: "30\u00a0days",
		179 * time.Hour:     "7\u00a0days",
	} {
		body, err := io.ReadAll(write(t, p, View{Host: "h"}, Passcode{Method: "app", TrustDevice: d}).Body)
		if err != nil {
			t.Fatal(err)
		}
		if want = "in this browser for " + want + "<"; !strings.Contains(string(body), want) {
			t.Errorf("%s: no %q in %s", d, want, body)
		}
	}
}

// TestSendWait says when another one can be sent, once.
func TestSendWait(t *testing.T) {
	p := newPages(t, Brand{}, "en")
	for _, test := range []struct {
		name string
		page Passcode
		want []string
	}{
		{"at once", Passcode{Method: "email", Sent: Sent{Once: true}}, nil},
		{"in a second", Passcode{Method: "email", Sent: Sent{Once: true, Wait: time.Second}}, []string{"in 1 second."}},
		{"in a while", Passcode{Method: "email", Sent: Sent{Once: true, Wait: 24 * time.Second}}, []string{"in 24 seconds."}},
		{"later", Passcode{Method: "email", Sent: Sent{Once: true, Wait: 10 * time.Minute}}, []string{"in 10 minutes."}},
		{"not said twice", Passcode{Method: "email", Sent: Sent{Once: true, Wait: 24 * time.Second}, Message: Message{Kind: WaitToSend, Wait: 24 * time.Second}}, nil},
		{"before it is sent", Passcode{Method: "email", Sent: Sent{Wait: 24 * time.Second}}, []string{"in 24 seconds."}},
		{"an app does not wait", Passcode{Method: "app", Sent: Sent{Once: true, Wait: 24 * time.Second}}, nil},
	} {
		body, err := io.ReadAll(write(t, p, View{Host: "h"}, test.page).Body)
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Split(string(body), "You can have another one sent ")[1:]
		for i := range said {
			said[i], _, _ = strings.Cut(said[i], "<")
		}
		if got, want := strings.Join(said, "|"), strings.Join(test.want, "|"); got != want {
			t.Errorf("%s: %q, want %q", test.name, got, want)
		}
	}
}

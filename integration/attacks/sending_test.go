//go:build integration

package attacks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Nobody's mailbox, phone or purse is filled by somebody who knows a password:
// messages are counted by flow and by account, over all methods, numbers, flows,
// browsers and networks, and their limits are told.
func TestSendingStorms(t *testing.T) {
	t.Parallel()
	g := harness.StartSendingGate(t, sending)
	t.Run("numbers of strangers", func(t *testing.T) {
		g.For(t)
		g.AddUser(alice)
		sent, refused := 0, 0
		for n := range 8 {
			b := g.Browser(harness.From(fmt.Sprintf("127.85.%d.1", n)))
			flow := g.Begin(b, alice)
			of := 0
			for i := range 6 {
				page := b.Step("enroll", flow, "method", "sms", "phone", fmt.Sprintf("+4917%d00000%02d", n, i))
				switch page.Status {
				case http.StatusSeeOther:
					of++
				case http.StatusTooManyRequests:
					if refused++; page.Header.Get("Retry-After") == "" {
						t.Errorf("%v", page)
					}
				default:
					t.Errorf("%v", page)
				}
			}
			if sent += of; of > 5 {
				t.Errorf("%d messages in one sign-in", of)
			}
		}
		if sent != 20 || refused != 28 {
			t.Errorf("%d messages were sent, %d refused", sent, refused)
		}
	})
	t.Run("one mailbox, where a right code does not begin anew", func(t *testing.T) {
		g.For(t)
		g.AddUser(carol)
		codes := g.EnrollBy(g.Browser(), carol, "")
		for i := range 19 {
			b := g.Browser()
			flow := g.Begin(b, carol)
			code := g.MailedCode(carol)
			if i%5 == 0 {
				b.Step("passcode", flow, "passcode", code).Want(http.StatusSeeOther)
			}
		}
		b := g.Browser()
		flow := g.Begin(b, carol)
		page := b.Step("passcode", flow, "method", "email").Want(http.StatusTooManyRequests)
		if page.Header.Get("Retry-After") == "" || page.Alert() == "" {
			t.Errorf("%v", page)
		}
		// That is no dead end: there is another way.
		b.Step("passcode", flow, "passcode", codes[0]).Want(http.StatusSeeOther)
		g.WantIn(b, carol)
	})
	g.Stop()
	messages := g.Phones.Posts()
	letters := 0
	for _, letter := range g.Mail.Letters() {
		if strings.Contains(letter.Subject, "passcode") {
			letters++
		}
	}
	if messages != 20 || letters != 0 {
		t.Errorf("%d text messages, %d letters too many", messages, letters)
	}
}

// What is typed as a number is one, or is refused before anything is sent; and
// whatever it is, it stays a number in the body that a service reads, as JSON or
// as a form.
func TestHostileNumbers(t *testing.T) {
	t.Parallel()
	for kind, block := range map[string]string{
		"JSON": `{
	header X-Kind {env.KIND}
}`,
		"a form": `{
	header Content-Type application/x-www-form-urlencoded
	header X-Kind {env.KIND}
	body To={phone}&Body={text}&From=%2B15005550006
}`,
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			g := harness.NewSendingGate(t, "")
			g.SetEnv("KIND", "test")
			g.Configure(harness.GatewayOption(harness.MailWords(g.Mail, "")+"sms webhook "+g.Phones.URL+" "+block+"\n"+sending),
				harness.GatewaySite("{$SITE}", "", "origin {$SITE}"))
			g.Run()
			// Few messages are sent in a sign-in, and to an account; what is refused
			// does not count.
			n := 0
			begin := func() (*harness.Client, string) {
				n++
				email := fmt.Sprintf("p%d@example.test", n)
				g.AddUser(email)
				b := g.Browser()
				return b, g.Begin(b, email)
			}
			b, flow := begin()
			byGroup(t, g.Gate, inputs(t, "phones.txt", "LONG", strings.Repeat("1", 20_000), "MANY", strings.Repeat("1", 200)), func(t *testing.T, in input) {
				if in.Outcome != "refused" {
					b, flow = begin()
				}
				before := g.Phones.Posts()
				page := b.Step("enroll", flow, "method", "sms", "phone", in.Text)
				if in.Outcome == "refused" {
					if page.Status < 400 || page.Status == http.StatusTooManyRequests || page.Status >= 500 || page.Alert() == "" && page.ID("error-id") == "" {
						t.Errorf("%s: %v", in.Name, page)
					}
					if posts := g.Phones.Posts() - before; posts > 0 {
						t.Errorf("%s: something was sent", in.Name)
					}
					return
				}
				page.Want(http.StatusSeeOther)
				message := g.Phones.Next(t, in.Outcome)
				values, err := url.ParseQuery(message.Body)
				var object map[string]string
				if kind == "JSON" {
					err = json.Unmarshal([]byte(message.Body), &object)
				}
				if err != nil || kind == "JSON" && len(object) != 2 || kind != "JSON" && (len(values) != 3 || values.Get("From") != "+15005550006") {
					t.Errorf("%s: %v: %s", in.Name, err, message.Body)
				}
				if message.Header.Get("X-Kind") != "test" {
					t.Errorf("%s: %v", in.Name, message.Header)
				}
			})
		})
	}
}

// Rule 7, and letters too: what a request says of the host, of where it came
// from and of who asks does not get into a link, a letter or a message; and
// nothing that people are called makes a header of its own.
func TestLettersSayWhatIsConfigured(t *testing.T) {
	t.Parallel()
	g := harness.NewSendingGate(t, sending, sites("http://:{$PORT} {\nlog\nauth_gateway {\norigin {$SITE}\n}\nreverse_proxy {$APP}\n}"))
	g.Run()
	g.AddUser(alice, "--name", "Alice <b>&amp; {env.HOME}")
	g.EnrollBy(g.Browser(), alice, phone)
	addMail := g.Browser()
	flow := g.Begin(addMail, alice)
	addMail.Step("passcode", flow, "passcode", g.TextedCode(phone)).Want(http.StatusSeeOther)
	begun := addMail.Post("/auth-gateway/enroll", url.Values{"begin": {"1"}, "method": {"email"}}).Want(http.StatusSeeOther)
	addMail.Step("enroll", begun.Location().Query().Get("flow"), "method", "email", "passcode", g.MailedCode(alice)).Want(http.StatusSeeOther)

	port := g.Env("PORT")
	body := url.Values{"email": {alice}, "password": {harness.Password}}.Encode()
	for _, head := range [][]string{
		{"Host: evil.test"}, {"Host: evil.test:" + port}, {"Host: localhost:" + port + ".evil.test"}, {"Host: localhost.evil.test:" + port},
		{"Host: localhost:" + port, "X-Forwarded-Host: evil.test"}, {"Host: localhost:" + port, "Forwarded: host=evil.test"},
		{"Host: localhost:" + port, "X-Host: evil.test", "X-Original-Host: evil.test", "X-Forwarded-Server: evil.test"},
		{"Host: localhost:" + port, "Referer: https://evil.test/", "X-Real-IP: evil.test", "X-Forwarded-For: evil.test"},
		{"Host: localhost:" + port, "User-Agent: evil.test", "Accept-Language: evil.test, en"},
	} {
		for path, form := range map[string]string{"sign-in": body, "reset": url.Values{"email": {alice}}.Encode()} {
			lines := append([]string{"POST /auth-gateway/" + path + " HTTP/1.1"}, head...)
			lines = append(lines, "Content-Type: application/x-www-form-urlencoded", fmt.Sprint("Content-Length: ", len(form)), "Connection: close", "", form)
			g.Browser().RawLines(lines...)
		}
	}
	b := g.Browser()
	b.Post("/auth-gateway/reset", url.Values{"email": {"a@b\r\nBcc: mallory@evil.test"}})
	b.Post("/auth-gateway/reset", url.Values{"email": {alice + ",mallory@evil.test"}})
	b.Post("/auth-gateway/reset", url.Values{"email": {alice + "\r\nRCPT TO:<mallory@evil.test>"}})
	g.Stop()
	letters := g.Mail.Letters()
	if len(letters) < 5 {
		t.Fatalf("%d letters", len(letters))
	}
	for _, letter := range letters {
		for name, values := range letter.Header {
			if strings.Contains(strings.Join(values, "\n"), "evil.test") || name == "Bcc" || name == "Cc" || len(values) > 1 {
				t.Errorf("%s: %q", name, values)
			}
		}
		if letter.To != alice || strings.Contains(letter.Text+letter.HTML, "evil.test") || strings.Contains(letter.HTML, "<b>&amp;") || strings.Contains(letter.Text, g.Env("HOME")) {
			t.Errorf("to %s: %s\n%s\n%s", letter.To, letter.Subject, letter.Text, letter.HTML)
		}
		if !letter.TLS || !letter.Auth {
			t.Errorf("TLS %t, signed in %t", letter.TLS, letter.Auth)
		}
	}
	for _, message := range g.Phones.Messages() {
		if message.To != phone || strings.Contains(message.Text, "evil") {
			t.Errorf("%+v", message)
		}
	}
}

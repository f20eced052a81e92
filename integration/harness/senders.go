package harness

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/deliver/delivertest"
)

// Senders are what a gate sends mail and text messages with.
type Senders struct {
	// Mail is a mail server that speaks STARTTLS and asks who is there.
	Mail *delivertest.Server
	// Phones is the service for text messages.
	Phones *Phones
}

// The account at the mail server.
const (
	mailUser     = "gate"
	mailPassword = "p/+ ü"
)

// SendingGate is a gate that can send both.
type SendingGate struct {
	*Gate
	*Senders
}

// NewSendingGate prepares a gate with a mail server and a service for text
// messages of its own. words are further ones of the auth_gateway option. An
// option that puts other sites than {$SITE} there has to name an origin.
func NewSendingGate(t testing.TB, words string, options ...func(*Options)) *SendingGate {
	t.Helper()
	s := &Senders{Phones: StartPhones(t)}
	var mail string
	var trust func(*Caddy)
	s.Mail, mail, trust = StartMail(t)
	g := &SendingGate{NewGate(t, mail+s.Phones.Words+words, "origin {$SITE}", options...), s}
	trust(g.Caddy)
	return g
}

// StartSendingGate likewise, and starts it.
func StartSendingGate(t testing.TB, words string, options ...func(*Options)) *SendingGate {
	t.Helper()
	g := NewSendingGate(t, words, options...)
	g.Run()
	return g
}

// StartMail starts a mail server that speaks STARTTLS and asks who is there. It
// returns the words of the auth_gateway option that name it, and what has a
// Caddy believe its certificate and know the password.
func StartMail(t testing.TB) (server *delivertest.Server, words string, trust func(*Caddy)) {
	t.Helper()
	cert, key, _ := Certificate(t, "localhost")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	server = delivertest.New(t, delivertest.Options{Certificate: &pair, Username: mailUser, Password: mailPassword})
	return server, MailWords(server, ""), func(c *Caddy) {
		c.SetEnv("SMTP_PASSWORD", mailPassword)
		c.SetEnv("SSL_CERT_FILE", cert)
	}
}

// MailWords are the words of the auth_gateway option that name a mail server of
// StartMail's kind. more are further words of mail.
func MailWords(server *delivertest.Server, more string) string {
	return `mail smtp ` + strings.Replace(server.Address, "127.0.0.1", "localhost", 1) + ` {
		from "Example <gate@example.test>"
		username ` + mailUser + `
		password {env.SMTP_PASSWORD}
		` + more + `
	}
`
}

var sixDigits = regexp.MustCompile(`\b[0-9]{6}\b`)

// MailedCode waits for the next letter to an address that has a passcode in it,
// and returns the passcode.
func (g *SendingGate) MailedCode(to string) string {
	g.t.Helper()
	return g.codeIn(to, g.MailedLetter(to, "").Text)
}

// MailedLetter waits for the next letter to an address that has that text in
// it; "": a passcode.
func (g *SendingGate) MailedLetter(to, text string) delivertest.Letter {
	g.t.Helper()
	for {
		letter := g.Mail.Next(g.t, to)
		if text != "" && strings.Contains(letter.Text, text) || text == "" && sixDigits.MatchString(letter.Text) {
			return letter
		}
	}
}

// TextedCode waits for the next text message to a number and returns the
// passcode in it.
func (g *SendingGate) TextedCode(to string) string {
	g.t.Helper()
	return g.codeIn(to, g.Phones.Next(g.t, to).Text)
}

func (g *SendingGate) codeIn(to, text string) string {
	g.t.Helper()
	code := sixDigits.FindString(text)
	if code == "" {
		g.t.Fatalf("no passcode for %s in %q", to, text)
	}
	g.Secret("a passcode for "+to, code)
	return code
}

// EnrollBy signs in with a password for the first time where a second factor is
// required, sets up mail, or text messages to a phone, and returns the recovery
// codes.
func (g *SendingGate) EnrollBy(b *Client, email, phone string) []string {
	g.t.Helper()
	flow := g.Begin(b, email)
	var done *Page
	if phone == "" {
		b.Step("enroll", flow, "method", "email").Want(http.StatusSeeOther)
		done = b.Step("enroll", flow, "method", "email", "passcode", g.MailedCode(email))
	} else {
		b.Step("enroll", flow, "method", "sms", "phone", phone).Want(http.StatusSeeOther)
		done = b.Step("enroll", flow, "method", "sms", "passcode", g.TextedCode(phone))
	}
	codes := done.Want(http.StatusOK).RecoveryCodes()
	for _, code := range codes {
		g.SecretAtRest("a recovery code", code)
	}
	return codes
}

// SignInByMail signs in with a password and a mailed passcode. more are names
// and values of further fields of the second step.
func (g *SendingGate) SignInByMail(b *Client, email string, more ...string) {
	g.t.Helper()
	flow := g.Begin(b, email)
	b.Step("passcode", flow, append(more, "passcode", g.MailedCode(email))...).Want(http.StatusSeeOther)
}

// OtherCode is a passcode that is not this one.
func OtherCode(code string) string {
	return string('0'+(code[0]-'0'+1)%10) + code[1:]
}

// Phones is a service for text messages, as the gateway posts to one.
type Phones struct {
	// Words are those of the auth_gateway option that name it.
	Words string
	// URL is its address.
	URL string

	mu       sync.Mutex
	messages []TextMessage
	posts    int
	answer   http.HandlerFunc
	arrived  chan struct{} // closed and replaced with each message
}

// TextMessage is what was posted for one phone.
type TextMessage struct {
	To, Text string
	Header   http.Header
	Body     string
}

// StartPhones starts a service that takes JSON and forms.
func StartPhones(t testing.TB) *Phones {
	t.Helper()
	p := &Phones{arrived: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.posts++
		answer := p.answer
		p.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		message, err := readMessage(r)
		if err != nil {
			t.Errorf("a text message: %v", err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		p.mu.Lock()
		p.messages = append(p.messages, message)
		close(p.arrived)
		p.arrived = make(chan struct{})
		p.mu.Unlock()
	}))
	t.Cleanup(server.Close)
	p.URL = server.URL
	p.Words = "sms webhook " + p.URL + "\n"
	return p
}

func readMessage(r *http.Request) (TextMessage, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return TextMessage{}, err
	}
	m := TextMessage{Header: r.Header, Body: string(body)}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(m.Body)
		m.To, m.Text = form.Get("To"), form.Get("Body")
		return m, err
	}
	var posted struct{ To, Text string }
	err = json.Unmarshal(body, &posted)
	m.To, m.Text = posted.To, posted.Text
	if err == nil && (m.To == "" || m.Text == "") {
		err = fmt.Errorf("incomplete: %s", body)
	}
	return m, err
}

// Answer has the service answer so from now on, instead of taking messages. nil
// has it take them again.
func (p *Phones) Answer(how http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = how
}

// Messages are those that arrived and Next has not returned yet.
func (p *Phones) Messages() []TextMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]TextMessage(nil), p.messages...)
}

// Posts is how often the service was posted to, whatever it answered.
func (p *Phones) Posts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.posts
}

// Next waits for the next message to a number that Next has not returned yet.
func (p *Phones) Next(t testing.TB, to string) TextMessage {
	t.Helper()
	limit := time.After(patience)
	for {
		p.mu.Lock()
		for i, message := range p.messages {
			if message.To == to {
				p.messages = append(p.messages[:i:i], p.messages[i+1:]...)
				p.mu.Unlock()
				return message
			}
		}
		arrived := p.arrived
		p.mu.Unlock()
		select {
		case <-arrived:
		case <-limit:
			t.Fatalf("no text message for %s has arrived", to)
		}
	}
}

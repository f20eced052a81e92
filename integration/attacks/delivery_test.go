//go:build integration

package attacks

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver/delivertest"
)

// wiretap is a mail server in the middle: it answers what says wants, and keeps
// every line that it is told.
type wiretap struct {
	address string
	mu      sync.Mutex
	lines   []string
	ended   chan struct{}
}

// listen starts a wiretap that announces these extensions and answers STARTTLS
// so, "" for not at all.
func listen(t *testing.T, extensions, startTLS string) *wiretap {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	w := &wiretap{address: "localhost:" + port, ended: make(chan struct{}, 100)}
	var conversations sync.WaitGroup
	t.Cleanup(func() { ln.Close(); conversations.Wait() })
	conversations.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conversations.Go(func() {
				defer conn.Close()
				w.talk(conn, extensions, startTLS)
				w.ended <- struct{}{}
			})
		}
	})
	return w
}

func (w *wiretap) talk(conn net.Conn, extensions, startTLS string) {
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(conn, "220 mail.example.test\r\n")
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		w.mu.Lock()
		w.lines = append(w.lines, lines.Text())
		w.mu.Unlock()
		switch word, _, _ := strings.Cut(strings.ToUpper(lines.Text()), " "); word {
		case "EHLO":
			fmt.Fprint(conn, "250-mail.example.test\r\n", extensions, "250 OK\r\n")
		case "STARTTLS":
			fmt.Fprint(conn, startTLS)
		case "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
		case "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 OK\r\n")
		}
	}
}

func (w *wiretap) heard() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.lines, "\n")
}

// Whoever sits between the gateway and its mail server gets neither the password
// to it nor a passcode, whatever they take out of the conversation or put into
// it, and whatever certificate they have. The person is told, and gets in
// another way.
func TestMailServerInTheMiddle(t *testing.T) {
	t.Parallel()
	g := harness.StartSendingGate(t, sending)
	g.AddUser(alice)
	codes := g.EnrollBy(g.Browser(), alice, "")
	used := 0
	// undelivered signs in with the mail server there, and another way.
	undelivered := func(t *testing.T, words, reason string) {
		t.Helper()
		g.Configure(harness.GatewayOption(words+g.Phones.Words+sending), harness.GatewaySite("{$SITE}", "", "origin {$SITE}"))
		g.Reload()
		b := g.Browser()
		page := b.SignIn("/private", alice, harness.Password)
		g.WaitLog("what is wrong", func(e harness.Entry) bool {
			return strings.HasPrefix(e.Text("msg"), "not delivered") && strings.Contains(e.Text("error"), reason)
		})
		flow := page.URL.Query().Get("flow")
		if page = b.Get(page.URL.RequestURI()); page.Alert() == "" {
			t.Errorf("the person is not told: %v", page)
		}
		b.Step("passcode", flow, "passcode", codes[used]).Want(http.StatusSeeOther)
		used++
		g.WantIn(b, alice)
	}
	for name, tap := range map[string]struct{ extensions, startTLS, reason string }{
		"STARTTLS taken out":      {"250-AUTH PLAIN LOGIN\r\n", "", "STARTTLS"},
		"STARTTLS refused":        {"250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n", "454 not now\r\n", ""},
		"STARTTLS without TLS":    {"250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n", "220 go on\r\n250-mail.example.test\r\n250 AUTH PLAIN\r\n", ""},
		"no extensions whatever":  {"", "", "STARTTLS"},
		"another word instead":    {"250-XXXXXXXX\r\n250-AUTH PLAIN\r\n", "", "STARTTLS"},
		"an answer to come early": {"250-STARTTLS\r\n", "220 go on\r\n235 you are in\r\n250 OK\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			w := listen(t, tap.extensions, tap.startTLS)
			undelivered(t, strings.Replace(harness.MailWords(g.Mail, ""), "localhost:"+portOf(g.Mail.Address), w.address, 1), tap.reason)
			for _, word := range []string{"AUTH", "MAIL FROM", "RCPT", "DATA", alice} {
				if heard := w.heard(); strings.Contains(heard, word) {
					t.Errorf("%s was said in the clear:\n%s", word, heard)
				}
			}
		})
	}
	for name, host := range map[string]string{"a certificate of another name": "mail.evil.test", "a certificate of nobody's": "localhost"} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			cert, key, _ := harness.Certificate(t, host)
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			for _, implicit := range []bool{false, true} {
				server := delivertest.New(t, delivertest.Options{Certificate: &pair, Implicit: implicit})
				more := ""
				if implicit {
					more = "tls implicit"
				}
				undelivered(t, harness.MailWords(server, more), "certificate")
				if letters := server.Letters(); len(letters) > 0 {
					t.Errorf("%+v", letters)
				}
			}
		})
	}
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// A mail server that refuses or hangs, in whatever phase: pages stay fast, the
// person is told where that is known, and a text message or a recovery code lets
// them in, however many letters wait.
func TestMailServerAtFault(t *testing.T) {
	t.Parallel()
	g := harness.StartSendingGate(t, sending)
	g.AddUser(alice)
	b := g.Browser()
	g.EnrollBy(b, alice, "")
	addPhone(g, b, phone)
	phases := []delivertest.Phase{delivertest.Connect, delivertest.Hello, delivertest.Auth, delivertest.From, delivertest.Recipient, delivertest.Data}
	another := func(t *testing.T, b *harness.Client, flow, email, phone string) {
		t.Helper()
		b.Step("passcode", flow, "method", "sms").Want(http.StatusSeeOther)
		b.Step("passcode", flow, "passcode", g.TextedCode(phone)).Want(http.StatusSeeOther)
		g.WantIn(b, email)
	}
	for i, phase := range phases {
		status := []int{451, 554}[i%2]
		t.Run(fmt.Sprint(phase, " ", status), func(t *testing.T) {
			g.For(t)
			g.Mail.Fail(phase, delivertest.Answer(status))
			defer g.Mail.Fail(phase, nil)
			b := g.Browser()
			page := b.SignIn("/private", alice, harness.Password)
			if page.Alert() == "" {
				page = b.Get(page.URL.RequestURI())
			}
			if !strings.Contains(page.Alert(), "could not be delivered") {
				t.Errorf("%v", page)
			}
			another(t, b, page.URL.Query().Get("flow"), alice, phone)
		})
	}
	t.Run("hanging, with many waiting", func(t *testing.T) {
		g.For(t)
		const number = "+4917044444444"
		g.AddUser(bob)
		b := g.Browser()
		g.EnrollBy(b, bob, "")
		addPhone(g, b, number)
		g.Mail.Fail(delivertest.Hello, g.Mail.Hang)
		var last *harness.Client
		var flow string
		for range 6 {
			began := time.Now()
			last = g.Browser()
			flow = g.Begin(last, bob)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the pages took %v", took)
			}
		}
		began := time.Now()
		another(t, last, flow, bob, number)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("text messages wait for letters: %v", took)
		}
	})
}

// A service for text messages that answers anything but yes gets the passcode,
// and nobody else does; the person is told, and nothing that was said is logged.
func TestServiceThatRedirects(t *testing.T) {
	t.Parallel()
	g := harness.StartSendingGate(t, sending)
	elsewhere := harness.StartPhones(t)
	g.AddUser(alice)
	codes := g.EnrollBy(g.Browser(), alice, phone)
	for i, status := range []int{301, 302, 303, 307, 308, 401, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			g.For(t)
			secret := fmt.Sprintf("what-the-service-says-%d", i)
			g.Secret("what a service says", secret)
			g.Phones.Answer(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", elsewhere.URL+"/?"+secret)
				w.WriteHeader(status)
				fmt.Fprint(w, secret)
			})
			b := g.Browser()
			page := b.SignIn("/private", alice, harness.Password)
			if page.Alert() == "" {
				page = b.Get(page.URL.RequestURI())
			}
			if !strings.Contains(page.Alert(), "could not be delivered") {
				t.Errorf("%v", page)
			}
			b.Step("passcode", page.URL.Query().Get("flow"), "passcode", codes[i]).Want(http.StatusSeeOther)
		})
	}
	if n := elsewhere.Posts(); n > 0 {
		t.Errorf("the passcode went elsewhere %d times", n)
	}
	t.Run("no end of an answer", func(t *testing.T) {
		g.For(t)
		g.Phones.Answer(func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		})
		b := g.Browser()
		flow := g.Begin(b, alice)
		b.Step("passcode", flow, "passcode", codes[8]).Want(http.StatusSeeOther)
		g.WantIn(b, alice)
		g.Phones.Answer(nil)
	})
}

package deliver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/wneessen/go-mail"
	"go.uber.org/goleak"

	"github.com/auth-gateway/caddy-auth-gateway/module/deliver/delivertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// certificate is one for that host, and the roots that vouch for it.
func certificate(t *testing.T, host string) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// newMailer speaks to server, whose certificate the roots vouch for.
func newMailer(t *testing.T, server *delivertest.Server, roots *x509.CertPool, c MailConfig) *Mailer {
	t.Helper()
	c.Server, c.From = strings.Replace(server.Address, "127.0.0.1", "localhost", 1), "Example <gate@example.test>"
	c.SetDefaults()
	if wrong := c.Validate(); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	m, err := NewMailer(c)
	if err != nil {
		t.Fatal(err)
	}
	if roots != nil {
		if err := m.client.SetTLSConfig(&tls.Config{ServerName: "localhost", RootCAs: roots, MinVersion: tls.VersionTLS12}); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

var letter = Mail{
	To: "alice@example.test", Subject: "サインインのお知らせ", Text: "One line.\n二行目です。\n", HTML: "<p>二行目です。</p>",
}

func TestMailArrives(t *testing.T) {
	cert, roots := certificate(t, "localhost")
	for _, tc := range []struct {
		name     string
		server   delivertest.Options
		config   MailConfig
		tls      bool
		signedIn bool
	}{
		{"STARTTLS", delivertest.Options{Certificate: cert}, MailConfig{}, true, false},
		{"STARTTLS, signed in", delivertest.Options{Certificate: cert, Username: "u", Password: "p/+ ü"}, MailConfig{Username: "u", Password: "p/+ ü"}, true, true},
		{"implicit TLS, signed in", delivertest.Options{Certificate: cert, Implicit: true, Username: "u", Password: "p"}, MailConfig{TLS: ImplicitTLS, Username: "u", Password: "p"}, true, true},
		{"no TLS", delivertest.Options{}, MailConfig{TLS: NoTLS}, false, false},
		{"no TLS, signed in on this machine", delivertest.Options{Username: "u", Password: "p"}, MailConfig{TLS: NoTLS, Username: "u", Password: "p"}, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := delivertest.New(t, tc.server)
			if err := newMailer(t, server, roots, tc.config).Send(t.Context(), letter); err != nil {
				t.Fatal(err)
			}
			got := server.Next(t, letter.To)
			if got.Subject != letter.Subject || got.Text != letter.Text || strings.TrimSpace(got.HTML) != letter.HTML {
				t.Errorf("got %+v", got)
			}
			if got.From != "gate@example.test" || got.Header.Get("Auto-Submitted") != "auto-generated" || got.Header.Get("User-Agent") != "" {
				t.Errorf("from %s, header %v", got.From, got.Header)
			}
			if got.TLS != tc.tls || got.Auth != tc.signedIn {
				t.Errorf("TLS %t, signed in %t", got.TLS, got.Auth)
			}
		})
	}
}

// What is wrong with a server for good is told from what may pass.
func TestMailFails(t *testing.T) {
	cert, roots := certificate(t, "localhost")
	another, _ := certificate(t, "localhost")
	misnamed, misnamedRoots := certificate(t, "mail.example.test")
	for _, tc := range []struct {
		name      string
		server    delivertest.Options
		config    MailConfig
		roots     *x509.CertPool
		phase     delivertest.Phase
		how       func() error
		permanent bool
		reason    string
	}{
		{"nobody vouches for the certificate", delivertest.Options{Certificate: another}, MailConfig{}, roots, "", nil, false, "certificate"},
		{"the certificate is another host's", delivertest.Options{Certificate: misnamed}, MailConfig{}, misnamedRoots, "", nil, false, "certificate"},
		{"no STARTTLS", delivertest.Options{}, MailConfig{}, roots, "", nil, false, "STARTTLS"},
		{"a wrong password", delivertest.Options{Certificate: cert, Username: "u", Password: "p"}, MailConfig{Username: "u", Password: "q"}, roots, "", nil, false, ""},
		{"closes before a word", delivertest.Options{Certificate: cert}, MailConfig{}, roots, delivertest.Connect, delivertest.Answer(421), false, ""},
		{"421 at hello", delivertest.Options{Certificate: cert}, MailConfig{}, roots, delivertest.Hello, delivertest.Answer(421), false, "not today"},
		{"454 at auth", delivertest.Options{Certificate: cert, Username: "u", Password: "p"}, MailConfig{Username: "u", Password: "p"}, roots, delivertest.Auth, delivertest.Answer(454), false, "not today"},
		{"450 at from", delivertest.Options{Certificate: cert}, MailConfig{}, roots, delivertest.From, delivertest.Answer(450), false, "not today"},
		{"550 at from", delivertest.Options{Certificate: cert}, MailConfig{}, roots, delivertest.From, delivertest.Answer(550), true, "not today"},
		{"450 at recipient", delivertest.Options{Certificate: cert}, MailConfig{}, roots, delivertest.Recipient, delivertest.Answer(450), false, "not today"},
		{"550 at recipient", delivertest.Options{Certificate: cert}, MailConfig{}, roots, delivertest.Recipient, delivertest.Answer(550), true, "not today"},
		{"452 at data", delivertest.Options{Certificate: cert}, MailConfig{}, roots, delivertest.Data, delivertest.Answer(452), false, "not today"},
		{"554 at data", delivertest.Options{Certificate: cert}, MailConfig{}, roots, delivertest.Data, delivertest.Answer(554), true, "not today"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := delivertest.New(t, tc.server)
			if tc.how != nil {
				server.Fail(tc.phase, tc.how)
			}
			err := newMailer(t, server, tc.roots, tc.config).Send(t.Context(), letter)
			if err == nil {
				t.Fatal("it was sent")
			}
			if Permanent(err) != tc.permanent || !strings.Contains(err.Error(), tc.reason) {
				t.Errorf("permanent %t: %v", Permanent(err), err)
			}
			if !strings.Contains(err.Error(), "localhost:") {
				t.Errorf("the server is not named: %v", err)
			}
			if n := len(server.Letters()); n != 0 {
				t.Errorf("%d letters arrived", n)
			}
		})
	}
}

// A server that says nothing holds nobody up for longer than the time limit.
func TestMailHangs(t *testing.T) {
	for _, phase := range []delivertest.Phase{delivertest.Connect, delivertest.Hello, delivertest.From, delivertest.Recipient, delivertest.Data} {
		t.Run(string(phase), func(t *testing.T) {
			server := delivertest.New(t, delivertest.Options{})
			server.Fail(phase, server.Hang)
			m := newMailer(t, server, nil, MailConfig{TLS: NoTLS})
			if err := mail.WithTimeout(200 * time.Millisecond)(m.client); err != nil {
				t.Fatal(err)
			}
			if err := m.Send(t.Context(), letter); err == nil || Permanent(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Whatever the server and the mailer cannot agree on, the connection ends.
func TestMailHangsUp(t *testing.T) {
	for name, says := range map[string]string{
		"no greeting": "554 go away\r\n",
		"no STARTTLS": "220 mail.example.test\r\n250 mail.example.test\r\n250 OK\r\n",
		"no TLS":      "220 mail.example.test\r\n250-mail.example.test\r\n250 STARTTLS\r\n454 not now\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			ended := make(chan error, 1)
			go func() {
				conn, err := ln.Accept()
				if err == nil {
					_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
					_, _ = io.WriteString(conn, says)
					_, err = io.Copy(io.Discard, conn)
					conn.Close()
				}
				ended <- err
			}()
			c := MailConfig{Server: ln.Addr().String(), From: "gate@example.test"}
			c.SetDefaults()
			m, err := NewMailer(c)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Send(t.Context(), Mail{To: "alice@example.test", Subject: "s", Text: "t", HTML: "h"}); err == nil {
				t.Error("sent")
			}
			var late net.Error
			if err := <-ended; errors.As(err, &late) && late.Timeout() {
				t.Error("the connection is still open")
			}
		})
	}
}

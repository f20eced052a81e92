// Package delivertest has a mail server for tests: it speaks SMTP as any does,
// keeps what it is handed, and fails in the phase that a test wants it to.
package delivertest

import (
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Phase is a step of the conversation.
type Phase string

// The phases in which the server can fail.
const (
	Connect   Phase = "connect" // before a word is said
	Hello     Phase = "hello"
	Auth      Phase = "auth"
	From      Phase = "from"
	Recipient Phase = "recipient"
	Data      Phase = "data" // while the message is handed over
)

// Options are what a server is like. The zero value takes everything from
// everybody, without TLS.
type Options struct {
	// Certificate turns STARTTLS on, and with Implicit TLS from the start.
	Certificate *tls.Certificate
	Implicit    bool
	// Username and Password are asked for if there are any.
	Username, Password string
}

// Letter is a mail that arrived.
type Letter struct {
	From, To   string // of the envelope
	Header     mail.Header
	Subject    string
	Text, HTML string
	TLS, Auth  bool // how it came
}

// Server is a mail server on a loopback port.
type Server struct {
	Address string // host:port

	options Options
	mu      sync.Mutex
	fail    map[Phase]func() error
	letters []Letter
	tried   int
	arrived chan struct{} // closed and replaced with each letter
	ended   chan struct{}
}

// New starts a server that runs until the test ends.
func New(t testing.TB, options Options) *Server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		Address: ln.Addr().String(), options: options, fail: make(map[Phase]func() error),
		arrived: make(chan struct{}), ended: make(chan struct{}),
	}
	server := smtp.NewServer(smtp.BackendFunc(s.session))
	server.Domain = "mail.example.test"
	server.AllowInsecureAuth = options.Certificate == nil
	server.ReadTimeout, server.WriteTimeout = time.Minute, time.Minute
	server.ErrorLog = silent{}
	var listener net.Listener = &gate{Listener: ln, server: s}
	if options.Certificate != nil {
		config := &tls.Config{Certificates: []tls.Certificate{*options.Certificate}}
		if options.Implicit {
			listener = tls.NewListener(listener, config)
		} else {
			server.TLSConfig = config
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		close(s.ended)
		_ = server.Close()
		<-done
	})
	return s
}

// Fail has the server answer a phase with what how returns, until it is nil:
// an *smtp.SMTPError as it is, any other error as 554. It may block: Hang does.
func (s *Server) Fail(phase Phase, how func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail[phase] = how
}

// Answer is a failure with an SMTP status.
func Answer(status int) func() error {
	return func() error {
		return &smtp.SMTPError{Code: status, EnhancedCode: smtp.EnhancedCode{status / 100, 0, 0}, Message: "not today"}
	}
}

// Hang never answers while the test runs.
func (s *Server) Hang() error {
	<-s.ended
	return errors.New("the test is over")
}

// Letters are those that arrived, the oldest first.
func (s *Server) Letters() []Letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Letter(nil), s.letters...)
}

// Tried is how many connections there were.
func (s *Server) Tried() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tried
}

// Next waits for the next letter to an address that Next has not returned yet.
func (s *Server) Next(t testing.TB, to string) Letter {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		for i, letter := range s.letters {
			if letter.To == to {
				s.letters = append(s.letters[:i:i], s.letters[i+1:]...)
				s.mu.Unlock()
				return letter
			}
		}
		arrived := s.arrived
		s.mu.Unlock()
		select {
		case <-arrived:
		case <-limit:
			t.Fatalf("no mail for %s has arrived", to)
		}
	}
}

func (s *Server) failure(phase Phase) error {
	s.mu.Lock()
	how := s.fail[phase]
	s.mu.Unlock()
	if how == nil {
		return nil
	}
	return how()
}

// gate is a listener that fails before a word is said.
type gate struct {
	net.Listener
	server *Server
}

// Accept implements net.Listener.
func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g.server.mu.Lock()
		g.server.tried++
		failing := g.server.fail[Connect] != nil
		g.server.mu.Unlock()
		if !failing {
			return conn, nil
		}
		go func() {
			defer conn.Close()
			_ = g.server.failure(Connect)
		}()
	}
}

func (s *Server) session(c *smtp.Conn) (smtp.Session, error) {
	_, encrypted := c.TLSConnectionState()
	return &session{server: s, letter: Letter{TLS: encrypted}}, s.failure(Hello)
}

// session is one conversation.
type session struct {
	server *Server
	letter Letter
}

func (s *session) Reset()        { s.letter = Letter{TLS: s.letter.TLS, Auth: s.letter.Auth} }
func (s *session) Logout() error { return nil }

// AuthMechanisms implements smtp.AuthSession.
func (s *session) AuthMechanisms() []string {
	if s.server.options.Username == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth implements smtp.AuthSession.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if err := s.server.failure(Auth); err != nil {
			return err
		}
		if username != s.server.options.Username || password != s.server.options.Password {
			return smtp.ErrAuthFailed
		}
		s.letter.Auth = true
		return nil
	}), nil
}

// Mail implements smtp.Session.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.options.Username != "" && !s.letter.Auth {
		return smtp.ErrAuthRequired
	}
	s.letter.From = from
	return s.server.failure(From)
}

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.letter.To = to
	return s.server.failure(Recipient)
}

// Data implements smtp.Session.
func (s *session) Data(r io.Reader) error {
	if err := s.server.failure(Data); err != nil {
		return err
	}
	if err := s.letter.read(r); err != nil {
		return err
	}
	s.server.mu.Lock()
	s.server.letters = append(s.server.letters, s.letter)
	close(s.server.arrived)
	s.server.arrived = make(chan struct{})
	s.server.mu.Unlock()
	return nil
}

// read takes a message apart (RFC 5322, RFC 2046).
func (l *Letter) read(r io.Reader) error {
	message, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	l.Header = message.Header
	if l.Subject, err = new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject")); err != nil {
		return err
	}
	kind, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(kind, "multipart/") {
		return l.part(kind, message.Header.Get("Content-Transfer-Encoding"), message.Body)
	}
	for parts := multipart.NewReader(message.Body, parameters["boundary"]); ; {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil {
			return err
		}
		if err := l.part(kind, part.Header.Get("Content-Transfer-Encoding"), part); err != nil {
			return err
		}
	}
}

func (l *Letter) part(kind, encoding string, r io.Reader) error {
	if strings.EqualFold(encoding, "quoted-printable") {
		r = quotedprintable.NewReader(r)
	}
	b, err := io.ReadAll(r)
	switch kind {
	case "text/plain":
		l.Text = strings.ReplaceAll(string(b), "\r\n", "\n")
	case "text/html":
		l.HTML = string(b)
	}
	return err
}

// silent is a log that nobody reads: failing is what a test asked for.
type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// Interface guards.
var (
	_ net.Listener     = (*gate)(nil)
	_ smtp.AuthSession = (*session)(nil)
	_ smtp.Logger      = silent{}
)

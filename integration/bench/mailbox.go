package main

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"sync"

	"github.com/emersion/go-smtp"
)

// mailbox is a mail server that keeps the passcodes of what arrives.
type mailbox struct {
	address string
	server  *smtp.Server
	done    chan struct{}

	mu    sync.Mutex
	codes map[string]chan string // by the address that they are for
}

func openMailbox() (*mailbox, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &mailbox{address: ln.Addr().String(), done: make(chan struct{}), codes: make(map[string]chan string)}
	m.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &delivery{box: m}, nil }))
	m.server.Domain = "mail.example.test"
	go func() {
		defer close(m.done)
		_ = m.server.Serve(ln) // ends with close
	}()
	return m, nil
}

func (m *mailbox) close() {
	_ = m.server.Close() // nothing is waited for any more
	<-m.done
}

// next waits for the next passcode to that address.
func (m *mailbox) next(to string) string { return <-m.of(to) }

func (m *mailbox) of(to string) chan string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.codes[to] == nil {
		m.codes[to] = make(chan string, 100)
	}
	return m.codes[to]
}

// delivery is one conversation with the mail server.
type delivery struct {
	box *mailbox
	to  string
}

// passcode stands on a line of its own in the plain text of a mail.
var passcode = regexp.MustCompile(`(?m)^([0-9]{6})\r?$`)

func (d *delivery) Mail(string, *smtp.MailOptions) error { return nil }

func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error {
	d.to = to
	return nil
}

func (d *delivery) Data(r io.Reader) error {
	message, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("reading a mail: %w", err)
	}
	if found := passcode.FindSubmatch(message); found != nil {
		d.box.of(d.to) <- string(found[1])
	}
	return nil
}

func (d *delivery) Reset() {}

func (d *delivery) Logout() error { return nil }

// Interface guards.
var _ smtp.Session = (*delivery)(nil)

package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"
)

// sendTimeout bounds connecting to a server, and each message after that.
const sendTimeout = 10 * time.Second

// Mail is a mail to one person, as plain text and as HTML.
type Mail struct {
	To      string // address
	Subject string
	Text    string
	HTML    string
}

// Mailer speaks to the mail server.
type Mailer struct {
	from   string
	client *mail.Client
}

// NewMailer returns the mailer of a configuration that is valid and resolved.
func NewMailer(c MailConfig) (*Mailer, error) {
	host, port, err := net.SplitHostPort(c.Server)
	if err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("mail: port %q is not a number", port)
	}
	options := []mail.Option{
		mail.WithPort(number),
		mail.WithTimeout(sendTimeout),
		mail.WithTLSConfig(&tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}),
		mail.WithoutNoop(),
	}
	switch c.TLS {
	case ImplicitTLS:
		options = append(options, mail.WithSSL())
	case NoTLS:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS), mail.WithDialContextFunc(dial))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory), mail.WithDialContextFunc(dial))
	}
	if c.Username != "" {
		auth := mail.SMTPAuthAutoDiscover
		if c.TLS == NoTLS {
			// Validate has seen to it that nobody can listen there.
			auth = mail.SMTPAuthPlainNoEnc
		}
		options = append(options, mail.WithSMTPAuth(auth), mail.WithUsername(c.Username), mail.WithPassword(c.Password))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	return &Mailer{from: c.From, client: client}, nil
}

// sending is the key under which the context of a Send holds that of the whole
// conversation; the mail client ends its own once it is connected.
type sending struct{}

// dial connects until the conversation is over: the mail client leaves a
// connection open on which it could not agree with the server, and the server
// would count it.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	connection, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if whole, ok := ctx.Value(sending{}).(context.Context); ok {
		context.AfterFunc(whole, func() { _ = connection.Close() })
	}
	return connection, nil
}

// Send hands m to the mail server. An error that is not Permanent may be gone
// the next time.
func (m *Mailer) Send(ctx context.Context, letter Mail) error {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := errors.Join(msg.From(m.from), msg.To(letter.To)); err != nil {
		return permanent(fmt.Errorf("addressing a mail: %w", err))
	}
	msg.Subject(letter.Subject)
	msg.SetDate()
	msg.SetMessageID()
	// Nobody's absence answers a mail that a machine wrote (RFC 3834).
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(mail.TypeTextPlain, letter.Text)
	msg.AddAlternativeString(mail.TypeTextHTML, letter.HTML)

	ctx, cancel := context.WithTimeout(ctx, 3*sendTimeout)
	defer cancel()
	connection, err := m.client.DialToSMTPClientWithContext(context.WithValue(ctx, sending{}, ctx))
	if err != nil {
		return fmt.Errorf("connecting to the mail server %s: %w", m.client.ServerAddr(), err)
	}
	err = m.client.SendWithSMTPClient(connection, msg)
	// The mail is with the server by now; how the conversation ends changes
	// nothing about that.
	_ = m.client.CloseWithSMTPClient(connection)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("handing a mail to %s: %w", m.client.ServerAddr(), err)
	var refused *mail.SendError
	if errors.As(err, &refused) && refused.ErrorCode() >= 500 {
		return permanent(err)
	}
	return err
}

package signin_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/deliver"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver/delivertest"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// senders are what a site sends codes with.
type senders struct {
	mail   *delivertest.Server
	texts  chan sms
	refuse atomic.Int64 // the status with which the webhook answers, if not 200

	mailer *deliver.Mailer
	texter *deliver.Texter
	post   *deliver.Post
}

// sms is what the webhook was posted.
type sms struct{ To, Text string }

// newSenders has the site send from now on, once it is configured again.
func (s *site) newSenders() *senders {
	s.Helper()
	made := &senders{mail: delivertest.New(s.T, delivertest.Options{}), texts: make(chan sms, 100)}
	webhook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status := int(made.refuse.Load()); status != 0 {
			http.Redirect(w, r, "/elsewhere", status)
			return
		}
		var posted sms
		if err := json.NewDecoder(r.Body).Decode(&posted); err != nil {
			s.Errorf("the webhook was posted what is no JSON: %v", err)
		}
		made.texts <- posted
	}))
	config := deliver.MailConfig{Server: made.mail.Address, From: "gateway@example.test", TLS: deliver.NoTLS}
	config.SetDefaults()
	var err error
	made.mailer, err = deliver.NewMailer(config)
	s.must(err)
	service := deliver.SMSConfig{Webhook: webhook.URL}
	service.SetDefaults()
	made.texter = deliver.NewTexter(service)
	made.post = deliver.NewPost(zap.New(s.core), s.Now)
	s.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		made.post.Close(ctx)
		webhook.Close()
	})
	s.senders = made
	return made
}

// letters is who writes for the site, nil if nothing can be sent.
func (s *site) letters(look *pages.Pages) *letter.Writer {
	if s.senders == nil {
		return nil
	}
	return letter.New(letter.Config{Mailer: s.senders.mailer, Texter: s.senders.texter, Post: s.senders.post, Pages: look, Clock: s.Now})
}

var sixDigits = regexp.MustCompile(`\b[0-9]{6}\b`)

// mailed is the passcode of the next mail to alice.
func (s *site) mailed() string {
	s.Helper()
	for {
		arrived := s.senders.mail.Next(s.T, "alice@example.test")
		if code := sixDigits.FindString(arrived.Text); code != "" {
			if sixDigits.MatchString(arrived.Subject) {
				s.Errorf("the subject holds a passcode: %s", arrived.Subject)
			}
			s.hide(code, "passcode")
			return code
		}
	}
}

// texted is the passcode of the next text message, and where it went.
func (s *site) texted() (code, phone string) {
	s.Helper()
	select {
	case posted := <-s.senders.texts:
		code = sixDigits.FindString(posted.Text)
		s.hide(code, "passcode")
		return code, posted.To
	case <-time.After(20 * time.Second):
		s.Fatal("no text message was sent")
		return "", ""
	}
}

// receives gives somebody a second factor that takes codes which are sent.
func (s *site) receives(a store.Account, method store.Method, phone string, required bool) {
	s.Helper()
	s.must(s.store.Update(s.Context(), func(tx store.Tx) error {
		factors, err := tx.Factors(a.ID)
		if err != nil {
			return err
		}
		return tx.CreateFactor(store.Factor{
			ID: store.NewID(), AccountID: a.ID, Method: method, Address: phone,
			Required: required, Preferred: len(factors) == 0, CreatedAt: s.Now(), UsedAt: s.Now(),
		})
	}))
}

// withMail is a site with somebody who has their codes mailed.
func withMail(t *testing.T, also ...store.Method) (s *site, alice store.Account) {
	t.Helper()
	s = newSite(t, audiences{"team": {}}, nil)
	s.newSenders()
	s.configure(audiences{"team": {SecondFactor: "required", Passcode: []string{"app", "email", "sms"}}})
	alice = s.add("alice@example.test", password)
	s.receives(alice, store.MethodEmail, "", true)
	for _, method := range also {
		s.receives(alice, method, phone, true)
	}
	return s, alice
}

const phone = "+819012345678"

package profile_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver/delivertest"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/profile"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	origin   = "https://app.example.test"
	password = "seven purple umbrellas"
	another  = "twelve orange raincoats"
	token    = "the-form-token"
	firefox  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0"
)

// Addresses with nothing but a POST.
const (
	nameAddress     = answer.Account + "/name"
	passwordAddress = answer.Account + "/password"
	sessionsAddress = answer.Account + "/sessions"
	devicesAddress  = answer.Account + "/devices"
	codesAddress    = answer.Account + "/recovery-codes"
)

type audiences map[string]policy.Audience

// desk is the page, with somebody in front of it.
type desk struct {
	*testing.T
	pages    *profile.Pages
	keeper   *session.Keeper
	people   *account.People
	registry *session.Registry
	ring     *secret.Ring
	store    store.Store
	mail     *delivertest.Server // nil: none is sent
	post     *deliver.Post

	linking []string // what was begun

	mu    sync.Mutex
	now   time.Time
	fault func(op string) error
}

func newDesk(t *testing.T, configured audiences) *desk {
	t.Helper()
	d := &desk{T: t, now: time.Now().Truncate(time.Second)}
	opened, err := store.OpenSQLite(t.Context(), storetest.Empty(t))
	d.must(err)
	d.store = storetest.Failing(opened, func(op string) error {
		d.mu.Lock()
		fault := d.fault
		d.mu.Unlock()
		if fault == nil {
			return nil
		}
		return fault(op)
	})
	d.ring, err = secret.NewRing(strings.Repeat("s", 32))
	d.must(err)
	d.registry = session.NewRegistry(d.store, d.Now)
	t.Cleanup(func() {
		d.breaks(nil)
		d.must(errors.Join(d.registry.Close(), opened.Close()))
	})
	d.configure(configured)
	return d
}

// mails has notices sent from now on, once it is configured again.
func (d *desk) mails() {
	d.Helper()
	d.mail = delivertest.New(d.T, delivertest.Options{})
	d.post = deliver.NewPost(zap.NewNop(), d.Now)
	d.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		d.post.Close(ctx)
	})
}

// configure puts another configuration into effect, as a reload does.
func (d *desk) configure(configured audiences) {
	d.Helper()
	doors, lifetimes := map[string]*policy.Door{}, map[string]session.Lifetimes{}
	for name, audience := range configured {
		var assigned []policy.Provider
		for _, name := range audience.SSO {
			provider := policy.Provider{Name: name, Button: name}
			if name == "far" {
				provider.Ranges = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")} // not where people are here
			}
			assigned = append(assigned, provider)
		}
		door, err := policy.NewDoor(name, audience, assigned)
		d.must(err)
		doors[name] = door
		lifetimes[name] = session.Lifetimes{Idle: door.IdleTimeout(), Absolute: door.SessionLifetime()}
	}
	look, err := pages.New(pages.Brand{}, "")
	d.must(err)
	d.keeper, err = session.NewKeeper(d.registry, d.ring, lifetimes, d.Now)
	d.must(err)
	d.people = account.New(account.Config{
		Store: d.store, Ring: d.ring, Clock: d.Now,
		Hasher: account.NewHasher(account.NewGate(64), account.Parameters{Memory: 64, Time: 1, Threads: 1}),
	})
	trail := audit.New(d.store, zap.NewNop(), d.Now)
	d.must(trail.Close()) // what is added to a closed trail is written at once
	c := profile.Config{
		People: d.people, Sessions: d.keeper, Pages: look, Trail: trail, Doors: doors, Clock: d.Now,
		Answers: &answer.Answers{Pages: look, Log: zap.NewNop()},
		Labels:  map[string]string{"okta": "Our company"},
		Issuers: map[string]string{
			"okta": "https://okta.example.test", "okta-customers": "https://okta.example.test", "google": "https://google.example.test",
			"far": "https://far.example.test",
		},
		Brand:     "Parasol",
		FormToken: func(http.ResponseWriter, *http.Request, policy.Visit) string { return token },
		OwnForm:   func(_ *http.Request, _ policy.Visit, given string) bool { return given == token },
		Link: func(_ http.ResponseWriter, _ *http.Request, _ policy.Visit, sso string, self account.Self) (string, bool) {
			d.linking = append(d.linking, fmt.Sprintf("%s %s %x %d", sso, self.AccountID, self.Session, self.Epoch))
			return "https://" + sso + ".example.test/authorize", true
		},
	}
	if d.mail != nil {
		config := deliver.MailConfig{Server: d.mail.Address, From: "gateway@example.test", TLS: deliver.NoTLS}
		config.SetDefaults()
		mailer, err := deliver.NewMailer(config)
		d.must(err)
		c.Letters = letter.New(letter.Config{Mailer: mailer, Post: d.post, Pages: look, Clock: d.Now})
	}
	d.pages = profile.New(c)
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// Now is the time that the test passes.
func (d *desk) Now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *desk) pass(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

// breaks has the store fail.
func (d *desk) breaks(fault func(op string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = fault
}

// change writes to the store behind the page's back.
func (d *desk) change(fn func(tx store.Tx) error) {
	d.Helper()
	d.must(d.store.Update(context.Background(), fn))
}

// add makes an account with a password.
func (d *desk) add(email string) store.Account {
	d.Helper()
	made, err := d.people.Create(d.Context(), account.NewAccount{Email: email, Name: "<Somebody>", Password: password}, nil)
	d.must(err)
	return made
}

// has gives an account a second factor, with ten recovery codes.
func (d *desk) has(a store.Account, method store.Method, required bool) (id string) {
	d.Helper()
	id = store.NewID()
	d.change(func(tx store.Tx) error {
		factors, err := tx.Factors(a.ID)
		if err != nil {
			return err
		}
		f := store.Factor{ID: id, AccountID: a.ID, Method: method, Required: required, Preferred: len(factors) == 0, CreatedAt: d.Now()}
		if method == store.MethodSMS {
			f.Address = "+491701234567"
		}
		codes := [][]byte{{1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}}
		return errors.Join(tx.CreateFactor(f), tx.ReplaceRecoveryCodes(a.ID, codes, d.Now()))
	})
	return id
}

// trusts gives an account a trusted browser.
func (d *desk) trusts(a store.Account) (id string) {
	d.Helper()
	_, raw := secret.NewToken()
	d.change(func(tx store.Tx) error {
		return tx.TrustDevice(store.TrustedDevice{
			ID: raw, AccountID: a.ID, Method: store.MethodApp, Address: "203.0.113.8", Browser: firefox,
			CreatedAt: d.Now(), UsedAt: d.Now(), ExpiresAt: d.Now().Add(24 * time.Hour),
		})
	})
	return hex.EncodeToString(raw)
}

// links lets somebody in through a provider.
func (d *desk) links(a store.Account, sso string) {
	d.Helper()
	d.change(func(tx store.Tx) error {
		return tx.SaveSSOLink(store.SSOLink{Issuer: "https://" + sso + ".example.test", Subject: a.ID, AccountID: a.ID, SSO: sso, CreatedAt: d.Now(), UsedAt: d.Now()})
	})
}

func (d *desk) person(a store.Account) account.Person {
	d.Helper()
	person, err := d.people.Show(d.Context(), a.ID)
	d.must(err)
	return person
}

// state is all that there is of some accounts, to be compared.
func (d *desk) state(accounts ...store.Account) (state string) {
	d.Helper()
	for _, a := range accounts {
		person := d.person(a)
		d.must(d.store.View(d.Context(), func(tx store.Tx) error {
			hash, err := tx.Password(a.ID)
			if errors.Is(err, store.ErrNotFound) {
				err = nil
			}
			for i := range person.Sessions {
				person.Sessions[i].SeenAt = time.Time{}
			}
			state += fmt.Sprintf("%+v %s\n", person, hash.Hash)
			return err
		}))
	}
	return state
}

// audited expects the newest audit row, "action outcome: detail".
func (d *desk) audited(a store.Account, want string) {
	d.Helper()
	var events []store.Event
	d.must(d.store.View(d.Context(), func(tx store.Tx) (err error) {
		events, err = tx.Events("", 1)
		return err
	}))
	if len(events) == 0 {
		d.Fatalf("nothing is audited, want %s", want)
	}
	e := events[0]
	if got := e.Action + " " + e.Outcome + ": " + e.Detail; got != want || e.AccountID != a.ID || e.Address != "192.0.2.7" || e.How != "account page" || e.Actor != "" {
		d.Errorf("audited %q %+v, want %q", got, e, want)
	}
}

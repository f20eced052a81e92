package session

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that stands still until it is moved.
type clock struct{ now atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.now.Store(time.Now().UnixNano())
	return c
}

func (c *clock) Now() time.Time        { return time.Unix(0, c.now.Load()) }
func (c *clock) Move(by time.Duration) { c.now.Add(int64(by)) }

// faulty is a store that stops answering when told to.
type faulty struct {
	store.Store
	broken atomic.Bool
}

var errBroken = errors.New("the disk is on fire")

func (f *faulty) View(ctx context.Context, fn func(store.Tx) error) error {
	if f.broken.Load() {
		return errBroken
	}
	return f.Store.View(ctx, fn)
}

func (f *faulty) Ping(ctx context.Context) error {
	if f.broken.Load() {
		return errBroken
	}
	return f.Store.Ping(ctx)
}

// world is a keeper with all that stands below it, and one account.
type world struct {
	*Keeper
	clock   *clock
	store   *faulty
	ring    *secret.Ring
	account store.Account
}

var lifetimes = map[string]Lifetimes{"team": {Idle: 8 * time.Hour, Absolute: 24 * time.Hour}}

func newWorld(t testing.TB) *world {
	t.Helper()
	opened, err := store.OpenSQLite(t.Context(), storetest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{clock: newClock(), store: &faulty{Store: opened}}
	w.ring, err = secret.NewRing(strings.Repeat("s", 32))
	if err != nil {
		t.Fatal(err)
	}
	registry := NewRegistry(w.store, w.clock.Now)
	t.Cleanup(func() {
		w.store.broken.Store(false)
		if err := errors.Join(registry.Close(), opened.Close()); err != nil {
			t.Error(err)
		}
	})
	if w.Keeper, err = NewKeeper(registry, w.ring, lifetimes, w.clock.Now); err != nil {
		t.Fatal(err)
	}
	w.account = store.Account{
		ID:         store.NewID(),
		Attributes: identity.Attributes{Email: "alice@example.test", Role: identity.EndUser},
		CreatedAt:  w.clock.Now(),
	}
	w.update(t, func(tx store.Tx) error { return tx.CreateAccount(w.account) })
	return w
}

func (w *world) update(t testing.TB, fn func(store.Tx) error) {
	t.Helper()
	if err := w.store.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// begin signs alice in and returns a request with her cookie, and the id of
// her session.
func (w *world) begin(t testing.TB) (*http.Request, []byte) {
	t.Helper()
	var token string
	w.update(t, func(tx store.Tx) (err error) {
		a, err := tx.Account(w.account.ID)
		if err != nil {
			return err
		}
		token, err = w.Begin(tx, Beginning{AccountID: a.ID, Epoch: a.Epoch, Audience: "team", SignedInAt: w.clock.Now()})
		return err
	})
	recorder := httptest.NewRecorder()
	if err := w.SetCookie(recorder, token, "team", true); err != nil {
		t.Fatal(err)
	}
	return requestWith(recorder.Result().Cookies()[0]), secret.TokenID(token)
}

func requestWith(cookie *http.Cookie) *http.Request {
	r := httptest.NewRequest("GET", "https://app.example.com/", nil)
	r.AddCookie(cookie)
	return r
}

func (w *world) lives(t testing.TB, r *http.Request) bool {
	t.Helper()
	live, err := w.Find(r, true)
	if err != nil {
		t.Fatal(err)
	}
	return live != nil
}

func TestWhatEndsASession(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(t *testing.T, w *world, id []byte)
	}{
		{"signing out", func(t *testing.T, w *world, id []byte) {
			w.update(t, func(tx store.Tx) error { _, err := tx.EndSession(id); return err })
		}},
		{"suspension", func(t *testing.T, w *world, _ []byte) {
			w.update(t, func(tx store.Tx) error { return tx.SetSuspended(w.account.ID, true, w.clock.Now()) })
		}},
		{"removal", func(t *testing.T, w *world, _ []byte) {
			w.update(t, func(tx store.Tx) error { return tx.RemoveAccount(w.account.ID) })
		}},
		{"a new password or factor", func(t *testing.T, w *world, _ []byte) {
			w.update(t, func(tx store.Tx) error { return tx.MoveEpoch(w.account.ID, nil, w.clock.Now()) })
		}},
		{"the idle timeout", func(t *testing.T, w *world, _ []byte) { w.clock.Move(8 * time.Hour) }},
	} {
		for _, cached := range []bool{true, false} {
			t.Run(tc.name+map[bool]string{true: ", session in memory", false: ", session not in memory"}[cached], func(t *testing.T) {
				w := newWorld(t)
				r, id := w.begin(t)
				if cached && !w.lives(t, r) {
					t.Fatal("the session does not live to begin with")
				}
				tc.end(t, w, id)
				if w.lives(t, r) {
					t.Error("the session lives on")
				}
			})
		}
	}
}

func TestAbsoluteLifetime(t *testing.T) {
	w := newWorld(t)
	r, _ := w.begin(t)
	for range 23 {
		w.clock.Move(time.Hour)
		if !w.lives(t, r) {
			t.Fatal("ended early although it was used every hour")
		}
	}
	w.clock.Move(time.Hour)
	if w.lives(t, r) {
		t.Error("lives after 24 hours")
	}
}

func TestShorterLifetimesApplyToRunningSessions(t *testing.T) {
	w := newWorld(t)
	r, _ := w.begin(t)
	w.clock.Move(31 * time.Minute)
	stricter, err := NewKeeper(w.registry, w.ring, map[string]Lifetimes{"team": {Idle: 30 * time.Minute, Absolute: time.Hour}}, w.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	if live, err := stricter.Find(r, true); err != nil || live != nil {
		t.Errorf("live %v, error %v: the new idle timeout does not apply", live, err)
	}
}

func TestSeenOutlivesTheProcess(t *testing.T) {
	w := newWorld(t)
	r, _ := w.begin(t)
	for range 5 {
		w.clock.Move(2 * time.Hour)
		if !w.lives(t, r) {
			t.Fatal("ended early")
		}
	}
	if err := w.registry.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := NewKeeper(newTestRegistry(t, w), w.ring, lifetimes, w.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	if live, err := after.Find(r, true); err != nil || live == nil {
		t.Errorf("live %v, error %v: when it was last seen was forgotten", live, err)
	}
}

// newTestRegistry is a registry that knows nothing but what the store holds.
func newTestRegistry(t *testing.T, w *world) *Registry {
	r := NewRegistry(w.store, w.clock.Now)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestAttributesChangeOnTheNextRequest(t *testing.T) {
	w := newWorld(t)
	r, _ := w.begin(t)
	if !w.lives(t, r) {
		t.Fatal("the session does not live to begin with")
	}
	w.update(t, func(tx store.Tx) error {
		changed := w.account.Attributes
		changed.Role = identity.Admin
		return tx.SaveAttributes(w.account.ID, changed, w.clock.Now())
	})
	live, err := w.Find(r, true)
	if err != nil || live == nil {
		t.Fatal(live, err)
	}
	if live.Identity().Role != identity.Admin {
		t.Errorf("role is still %s", live.Identity().Role)
	}
}

func TestCookiesThatAreNone(t *testing.T) {
	w := newWorld(t)
	r, _ := w.begin(t)
	cookie, err := r.Cookie("__Host-auth_gateway")
	if err != nil {
		t.Fatal(err)
	}
	other, err := secret.NewRing(strings.Repeat("x", 32))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := other.Cookies("session cookie", time.Hour).Encode(CookieName, []byte("token"), w.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	flow, err := w.ring.Cookies("flow cookie", time.Hour).Encode(CookieName, []byte("token"), w.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"garbage":                    "garbage",
		"cut short":                  cookie.Value[:len(cookie.Value)-8],
		"one character changed":      cookie.Value[:20] + string(cookie.Value[20]^1) + cookie.Value[21:],
		"sealed with another secret": forged,
		"sealed for another purpose": flow,
		"endless":                    strings.Repeat("a", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			if w.lives(t, requestWith(&http.Cookie{Name: "__Host-auth_gateway", Value: value})) {
				t.Error("it opened a session")
			}
		})
	}
	if w.lives(t, requestWith(&http.Cookie{Name: "auth_gateway", Value: cookie.Value})) {
		t.Error("a cookie without __Host- opened a session over https")
	}
}

func TestSessionsGoOnForAWhileWithoutTheStore(t *testing.T) {
	w := newWorld(t)
	known, _ := w.begin(t)
	unknown, _ := w.begin(t)
	if !w.lives(t, known) {
		t.Fatal("the session does not live to begin with")
	}
	w.store.broken.Store(true)
	if !w.lives(t, known) {
		t.Error("a session in memory ended at once")
	}
	if live, err := w.Find(unknown, true); live != nil || err == nil {
		t.Errorf("live %v, error %v: nobody can tell whether that session lives", live, err)
	}
	w.clock.Move(storeGrace + time.Second)
	if live, err := w.Find(known, true); live != nil || err == nil {
		t.Errorf("live %v, error %v: the gate stayed open after the store was gone for so long", live, err)
	}
	w.store.broken.Store(false)
	if !w.lives(t, known) {
		t.Error("the session did not come back with the store")
	}
}

// A session is looked up again and again while it is being ended. Whatever the
// order, it must not come back to life afterwards.
func TestEndedSessionsStayEnded(t *testing.T) {
	w := newWorld(t)
	for range 50 {
		r, id := w.begin(t)
		var looking sync.WaitGroup
		for range 4 {
			looking.Go(func() {
				for range 20 {
					if _, err := w.Find(r, true); err != nil {
						t.Error(err)
					}
				}
			})
		}
		w.update(t, func(tx store.Tx) error { _, err := tx.EndSession(id); return err })
		if w.lives(t, r) {
			t.Fatal("the session lives right after it was ended")
		}
		looking.Wait()
		if w.lives(t, r) {
			t.Fatal("the session came back to life")
		}
	}
}

func TestBeginRefusesWhatChangedMeanwhile(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(tx store.Tx) error{
		"epoch":      func(tx store.Tx) error { return tx.MoveEpoch(w.account.ID, nil, w.clock.Now()) },
		"suspension": func(tx store.Tx) error { return tx.SetSuspended(w.account.ID, true, w.clock.Now()) },
	} {
		t.Run(name, func(t *testing.T) {
			w.update(t, change)
			err := w.store.Update(t.Context(), func(tx store.Tx) error {
				_, err := w.Begin(tx, Beginning{AccountID: w.account.ID, Epoch: w.account.Epoch, Audience: "team", SignedInAt: w.clock.Now()})
				return err
			})
			if !errors.Is(err, ErrEpoch) {
				t.Errorf("error %v, want ErrEpoch", err)
			}
		})
	}
}

func TestANewSessionReplacesTheOld(t *testing.T) {
	w := newWorld(t)
	before, id := w.begin(t)
	w.update(t, func(tx store.Tx) error {
		_, err := w.Begin(tx, Beginning{AccountID: w.account.ID, Epoch: w.account.Epoch, Audience: "team", SignedInAt: w.clock.Now(), Replaces: id})
		return err
	})
	if w.lives(t, before) {
		t.Error("the session before the step up lives on")
	}
}

func TestMemo(t *testing.T) {
	l := new(Live)
	made := 0
	key := new(int)
	for range 3 {
		if got := l.Memo(key, func() any { made++; return made }); got != 1 {
			t.Fatalf("got %v", got)
		}
	}
	for range 10 * maxMemos {
		l.Memo(new(int), func() any { return nil })
	}
	if known := len(*l.memo.Load()); known > maxMemos+1 {
		t.Errorf("remembers %d values", known)
	}
}

func BenchmarkFind(b *testing.B) {
	w := newWorld(b)
	r, _ := w.begin(b)
	if !w.lives(b, r) {
		b.Fatal("no session")
	}
	b.ReportAllocs()
	for b.Loop() {
		if live, err := w.Find(r, true); live == nil || err != nil {
			b.Fatal(live, err)
		}
	}
}

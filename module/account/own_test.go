package account

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const otherPassword = "twelve orange raincoats"

// signedIn is a person with a session, and what is theirs.
type signedIn struct {
	Self
	other  []byte // another session of theirs
	device []byte
	factor string
}

// signIn gives an account two sessions, a trusted browser, a flow, a link, and
// an app as its second factor.
func (w *world) signIn(a store.Account) signedIn {
	w.t.Helper()
	w.enroll(a.ID, true)
	a = w.account(a.ID)
	in := signedIn{Self: Self{AccountID: a.ID, Epoch: a.Epoch}}
	now := w.clock.Now()
	w.update(func(tx store.Tx) error {
		for _, id := range []*[]byte{&in.Session, &in.other} {
			_, *id = secret.NewToken()
			err := tx.CreateSession(store.Session{
				ID: *id, AccountID: a.ID, Epoch: a.Epoch, Audience: "team", SignedInAt: now, CreatedAt: now, SeenAt: now,
				IdleTimeout: time.Hour, ExpiresAt: now.Add(time.Hour),
			})
			if err != nil {
				return err
			}
		}
		_, in.device = secret.NewToken()
		_, flow := secret.NewToken()
		factors, err := tx.Factors(a.ID)
		if err != nil {
			return err
		}
		in.factor = factors[0].ID
		return errors.Join(
			tx.TrustDevice(store.TrustedDevice{ID: in.device, AccountID: a.ID, Method: store.MethodApp, CreatedAt: now, UsedAt: now, ExpiresAt: now.Add(time.Hour)}),
			tx.CreateFlow(store.Flow{ID: flow, AccountID: a.ID, Epoch: a.Epoch, Stage: "passcode", Audience: "team", ReturnTo: "/", PasswordAt: now, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}, 8),
		)
	})
	return in
}

// addFactor gives an account one more.
func (w *world) addFactor(accountID string, method store.Method) (id string) {
	w.t.Helper()
	id = store.NewID()
	w.update(func(tx store.Tx) error {
		return tx.CreateFactor(store.Factor{ID: id, AccountID: accountID, Method: method, CreatedAt: w.clock.Now()})
	})
	return id
}

// state is all that there is of an account, to be compared.
func (w *world) state(id string) string {
	w.t.Helper()
	var state string
	w.view(func(tx store.Tx) error {
		person, err := w.person(tx, id)
		if err != nil {
			return err
		}
		password, err := tx.Password(id)
		state = fmt.Sprintf("%+v %s", person, password.Hash)
		return err
	})
	return state
}

func anything(store.Account, policy.Methods) bool { return true }

// acts are all that people can do to their own account, in front of a person
// whose things they name.
func (w *world) acts() map[string]func(self Self, of signedIn, then Then) error {
	ctx := w.t.Context()
	return map[string]func(self Self, of signedIn, then Then) error{
		"renaming": func(self Self, _ signedIn, then Then) error { return w.Rename(ctx, self, "Another Name", then) },
		"changing the password": func(self Self, _ signedIn, then Then) error {
			return w.ChangePassword(ctx, self, otherPassword, Rules{}, From{}, then)
		},
		"ending a session":     func(self Self, of signedIn, then Then) error { return w.EndSession(ctx, self, of.other, then) },
		"ending the others":    func(self Self, _ signedIn, then Then) error { return w.EndOtherSessions(ctx, self, then) },
		"forgetting a browser": func(self Self, of signedIn, then Then) error { return w.ForgetDevice(ctx, self, of.device, then) },
		"removing a factor": func(self Self, of signedIn, then Then) error {
			_, err := w.RemoveFactor(ctx, self, of.factor, anything, then)
			return err
		},
		"preferring a factor": func(self Self, of signedIn, then Then) error { return w.PreferFactor(ctx, self, of.factor, then) },
		"keeping factors":     func(self Self, _ signedIn, then Then) error { return w.KeepFactors(ctx, self, then) },
		"recovery codes": func(self Self, _ signedIn, then Then) error {
			_, err := w.NewRecoveryCodes(ctx, self, then)
			return err
		},
	}
}

// Nothing is done for whom has been signed out by now, nor with what is
// somebody else's, nor when what comes after it fails.
func TestOwnActsThatAreNotDone(t *testing.T) {
	fault := errors.New("the trail is full")
	named := []string{"ending a session", "forgetting a browser", "removing a factor", "preferring a factor"}
	alone := []string{"changing the password", "removing a factor", "recovery codes"}
	for _, tc := range []struct {
		name   string
		happen func(w *world, alice, bob signedIn) (self Self, of signedIn)
		then   Then
		want   error
		only   []string // acts; nil: all
	}{
		{"signed out", func(w *world, alice, _ signedIn) (Self, signedIn) {
			w.update(func(tx store.Tx) error { _, err := tx.EndSession(alice.Session); return err })
			return alice.Self, alice
		}, nil, ErrSignedOut, nil},
		{"suspended", func(w *world, alice, _ signedIn) (Self, signedIn) {
			w.update(func(tx store.Tx) error { return tx.SetSuspended(alice.AccountID, true, w.clock.Now()) })
			return alice.Self, alice
		}, nil, ErrSignedOut, nil},
		{"suspended and resumed", func(w *world, alice, _ signedIn) (Self, signedIn) {
			w.update(func(tx store.Tx) error { return tx.SetSuspended(alice.AccountID, true, w.clock.Now()) })
			w.update(func(tx store.Tx) error { return tx.SetSuspended(alice.AccountID, false, w.clock.Now()) })
			return alice.Self, alice
		}, nil, ErrSignedOut, nil},
		{"the password is another", func(w *world, alice, _ signedIn) (Self, signedIn) {
			w.update(func(tx store.Tx) error { return tx.MoveEpoch(alice.AccountID, nil, w.clock.Now()) })
			return alice.Self, alice
		}, nil, ErrSignedOut, nil},
		{"somebody else's session", func(_ *world, alice, bob signedIn) (Self, signedIn) {
			alice.Session = bob.Session
			return alice.Self, alice
		}, nil, ErrSignedOut, nil},
		{"changed in the same session meanwhile", func(w *world, alice, _ signedIn) (Self, signedIn) {
			w.update(func(tx store.Tx) error { return tx.MoveEpoch(alice.AccountID, alice.Session, w.clock.Now()) })
			return alice.Self, alice
		}, nil, ErrMeanwhile, alone},
		{"somebody else's", func(_ *world, alice, bob signedIn) (Self, signedIn) { return alice.Self, bob }, nil, ErrNoneSuch, named},
		{"what is gone", func(_ *world, alice, _ signedIn) (Self, signedIn) {
			return alice.Self, signedIn{other: []byte("x"), device: []byte("x"), factor: "x"}
		}, nil, ErrNoneSuch, named},
		{"the trail fails", func(_ *world, alice, _ signedIn) (Self, signedIn) { return alice.Self, alice },
			func(store.Tx, store.Account) error { return fault }, fault, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			alice, bob := w.signIn(w.add("alice@example.test")), w.signIn(w.add("bob@example.test"))
			self, of := tc.happen(w, alice, bob)
			before := w.state(alice.AccountID) + w.state(bob.AccountID)
			for name, act := range w.acts() {
				if tc.only != nil && !slices.Contains(tc.only, name) {
					continue
				}
				if err := act(self, of, tc.then); !errors.Is(err, tc.want) {
					t.Errorf("%s: %v, want %v", name, err, tc.want)
				}
			}
			if after := w.state(alice.AccountID) + w.state(bob.AccountID); after != before {
				t.Errorf("something was done:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
	t.Run("removed", func(t *testing.T) {
		w := newWorld(t)
		alice := w.signIn(w.add("alice@example.test"))
		w.update(func(tx store.Tx) error { return tx.RemoveAccount(alice.AccountID) })
		for name, act := range w.acts() {
			if err := act(alice.Self, alice, nil); !errors.Is(err, ErrSignedOut) {
				t.Errorf("%s: %v, want %v", name, err, ErrSignedOut)
			}
		}
	})
}

// What changes how somebody signs in ends everything but the session that it is
// done in; the rest ends nothing.
func TestWhatOwnActsEnd(t *testing.T) {
	ends := []string{"changing the password", "removing a factor", "recovery codes"}
	w := newWorld(t)
	for name := range w.acts() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice, bob := w.signIn(w.add("alice@example.test")), w.signIn(w.add("bob@example.test"))
			others := w.state(bob.AccountID)
			told := 0
			then := func(_ store.Tx, before store.Account) error {
				told++
				if before.ID != alice.AccountID {
					t.Errorf("told of %s", before.ID)
				}
				return nil
			}
			if err := w.acts()[name](alice.Self, alice, then); err != nil || told != 1 {
				t.Fatalf("%v, told %d times", err, told)
			}
			person, err := w.Show(t.Context(), alice.AccountID)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("epoch +%d, %d sessions, %d browsers", person.Epoch-alice.Epoch, len(person.Sessions), len(person.TrustedDevices))
			want := map[string]string{"ending a session": "epoch +0, 1 sessions, 1 browsers", "ending the others": "epoch +0, 1 sessions, 1 browsers", "forgetting a browser": "epoch +0, 2 sessions, 0 browsers"}[name]
			switch {
			case want != "":
			case slices.Contains(ends, name):
				want = "epoch +1, 1 sessions, 0 browsers"
			default:
				want = "epoch +0, 2 sessions, 1 browsers"
			}
			if got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if !slices.ContainsFunc(person.Sessions, func(s store.Session) bool { return string(s.ID) == string(alice.Session) && s.Epoch == person.Epoch }) {
				t.Error("the session it was done in is dead")
			}
			if w.state(bob.AccountID) != others {
				t.Error("somebody else has changed")
			}
		})
	}
}

func TestChangePassword(t *testing.T) {
	w := newWorld(t)
	alice := w.signIn(w.add("alice@example.test"))
	rules := Rules{Minimum: 8, Words: []string{"app.umbrella.test"}}
	for password, want := range map[string]Reason{"short": TooShort, "password1234": Common, "my umbrella stand": OwnWords, "alice alice alice": OwnWords} {
		var weak *Weak
		if err := w.ChangePassword(t.Context(), alice.Self, password, rules, From{}, nil); !errors.As(err, &weak) || weak.Reason != want {
			t.Errorf("%q: %v", password, err)
		}
	}
	for password, want := range map[string]string{goodPassword: "in", otherPassword: "wrong"} {
		if _, err := w.CheckPassword(t.Context(), "alice@example.test", password, From{}); outcome(err) != want {
			t.Errorf("before, %q: %v", password, err)
		}
	}
	if err := w.ChangePassword(t.Context(), alice.Self, otherPassword, rules, From{}, nil); err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]string{goodPassword: "wrong", otherPassword: "in"} {
		if _, err := w.CheckPassword(t.Context(), "alice@example.test", password, From{}); outcome(err) != want {
			t.Errorf("after, %q: %v", password, err)
		}
	}
	bob, err := w.Create(t.Context(), NewAccount{Email: "bob@example.test"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := w.signIn(bob)
	if err := w.ChangePassword(t.Context(), in.Self, otherPassword, rules, From{}, nil); !errors.Is(err, ErrNoPassword) {
		t.Errorf("without a password before: %v", err)
	}
}

func TestRename(t *testing.T) {
	w := newWorld(t)
	alice := w.signIn(w.add("alice@example.test"))
	for name, want := range map[string]string{" Alice  Doe\u3000": "Alice  Doe", "有栖川": "有栖川", "": ""} {
		if err := w.Rename(t.Context(), alice.Self, name, nil); err != nil || w.account(alice.AccountID).Attributes.Name != want {
			t.Errorf("%q: %q, %v", name, w.account(alice.AccountID).Attributes.Name, err)
		}
	}
	for _, name := range []string{"a\nb", "\x00", string(make([]rune, 300)), "\xff"} {
		if err := w.Rename(t.Context(), alice.Self, name, nil); err == nil || CheckName(name) == nil {
			t.Errorf("%q: %v, %v", name, err, CheckName(name))
		}
	}
	w.update(func(tx store.Tx) error {
		return tx.SaveSSOLink(store.SSOLink{Issuer: "https://id.example.test", Subject: "1", AccountID: alice.AccountID, SSO: "okta"})
	})
	if err := w.Rename(t.Context(), alice.Self, "Somebody Else", nil); !errors.Is(err, ErrFromProvider) {
		t.Errorf("with a provider: %v", err)
	}
}

// Of several factors the one that is left is preferred; with the last one go
// the recovery codes; what is required stays.
func TestRemoveFactor(t *testing.T) {
	w := newWorld(t)
	alice := w.signIn(w.add("alice@example.test"))
	mail := w.addFactor(alice.AccountID, store.MethodEmail)
	needs := func(counts policy.Methods) func(store.Account, policy.Methods) bool {
		return func(a store.Account, left policy.Methods) bool { return a.ID == alice.AccountID && left.Has(counts) }
	}
	if _, err := w.RemoveFactor(t.Context(), alice.Self, alice.factor, needs(policy.App), nil); !errors.Is(err, ErrStillRequired) {
		t.Errorf("the last that counts: %v", err)
	}
	removed, err := w.RemoveFactor(t.Context(), alice.Self, alice.factor, needs(policy.Email), nil)
	if err != nil || removed.Method != store.MethodApp || removed.Secret != nil {
		t.Fatalf("%+v, %v", removed, err)
	}
	person, err := w.Show(t.Context(), alice.AccountID)
	if err != nil || len(person.Factors) != 1 || person.Factors[0].ID != mail || !person.Factors[0].Preferred || person.RecoveryCodes != 10 {
		t.Fatalf("%+v, %v", person, err)
	}
	alice.Epoch = person.Epoch
	if _, err := w.RemoveFactor(t.Context(), alice.Self, mail, anything, nil); err != nil {
		t.Fatal(err)
	}
	if person, err = w.Show(t.Context(), alice.AccountID); err != nil || len(person.Factors) != 0 || person.RecoveryCodes != 0 {
		t.Errorf("%+v, %v", person, err)
	}
	for name, err := range map[string]error{
		"keeping none": w.KeepFactors(t.Context(), alice.Self, nil),
		"recovery codes for no use": func() error {
			alice.Epoch = person.Epoch
			_, err := w.NewRecoveryCodes(t.Context(), alice.Self, nil)
			return err
		}(),
	} {
		if !errors.Is(err, ErrNoneSuch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeepFactors(t *testing.T) {
	w := newWorld(t)
	alice := w.signIn(w.add("alice@example.test"))
	if err := w.KeepFactors(t.Context(), alice.Self, nil); err != nil {
		t.Fatal(err)
	}
	believed, err := w.CheckPassword(t.Context(), "alice@example.test", goodPassword, From{})
	if err != nil || !believed.ChoseFactor {
		t.Errorf("%+v, %v", believed, err)
	}
}

// The codes from before let nobody in, and each of the new ones does once.
func TestNewRecoveryCodes(t *testing.T) {
	w := newWorld(t)
	a := w.add("alice@example.test")
	alice := w.signIn(a)
	first, err := w.NewRecoveryCodes(t.Context(), alice.Self, nil)
	if err != nil || len(first) != 10 {
		t.Fatalf("%q, %v", first, err)
	}
	alice.Epoch++
	second, err := w.NewRecoveryCodes(t.Context(), alice.Self, nil)
	if err != nil || len(second) != 10 {
		t.Fatalf("%q, %v", second, err)
	}
	if got := w.passcode(a.ID, first[0], From{}); got != "wrong" {
		t.Errorf("an old code: %s", got)
	}
	for _, want := range []string{"in by recovery", "wrong"} {
		if got := w.passcode(a.ID, second[0], From{}); got != want {
			t.Errorf("a new code: %s, want %s", got, want)
		}
	}
}

// Fifty at once: what can be done once is done once.
func TestOwnActsAtOnce(t *testing.T) {
	for _, name := range []string{"changing the password", "ending a session", "forgetting a browser", "removing a factor", "recovery codes"} {
		t.Run(name, func(t *testing.T) {
			w := newWorldWith(t, NewHasher(NewGate(64), cheap))
			alice := w.signIn(w.add("alice@example.test"))
			act := w.acts()[name]
			var done atomic.Int32
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					switch err := act(alice.Self, alice, nil); {
					case err == nil:
						done.Add(1)
					case !errors.Is(err, ErrMeanwhile) && !errors.Is(err, ErrNoneSuch) && outcome(err) != "busy":
						t.Error(err)
					}
				})
			}
			all.Wait()
			if done.Load() != 1 {
				t.Errorf("done %d times", done.Load())
			}
		})
	}
}

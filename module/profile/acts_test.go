package profile_test

import (
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func TestAccountPage(t *testing.T) {
	d := newDesk(t, audiences{"team": {SSO: []string{"okta", "gone"}, TrustDevice: 3.6e12}})
	alice := d.add("alice@example.test")
	d.has(alice, store.MethodSMS, true)
	device := d.trusts(alice)
	d.links(alice, "okta")
	d.links(alice, "elsewhere")
	other := d.signIn(alice, how{secondFactor: true})
	d.pass(time.Hour)
	b := d.signIn(alice, how{sso: "okta"})
	r := b.get(answer.Account).as("200")
	r.says("<Somebody>", "alice@example.test", "With Our company", "Passcode by SMS", "+49 *** 67", "9 codes left", "Firefox on Windows",
		"From 203.0.113.7", "From 203.0.113.8", "This one", "elsewhere", "Sign out everywhere else")
	r.has(`value="`+other.id+`"`, `value="`+device+`"`, `value="`+token+`"`, `<time datetime="`)
	d.configure(audiences{"team": {SSO: []string{"okta"}}})
	b.get(answer.Account).as("200").not("Trusted browsers") // nor is any trusted now
	r.lacks("<Somebody>", `value="`+b.id+`"`, "/account/name", "1701234567", "sealed")
}

// Who has more sessions than a page can hold sees the newest, and may end all.
func TestManySessions(t *testing.T) {
	d := newDesk(t, audiences{"team": {IdleTimeout: 3.6e12}})
	alice := d.add("alice@example.test")
	b := d.signIn(alice, how{})
	begin := func(n int) {
		d.change(func(tx store.Tx) error {
			for range n {
				_, id := secret.NewToken()
				err := tx.CreateSession(store.Session{
					ID: id, AccountID: alice.ID, Audience: "team", SignedInAt: d.Now(), CreatedAt: d.Now(), SeenAt: d.Now(),
					IdleTimeout: time.Hour, ExpiresAt: d.Now().Add(24 * time.Hour), Browser: strings.Repeat("M", 256), Address: "203.0.113.7",
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	begin(40)
	d.pass(50 * time.Minute)
	b.get(answer.Account).as("200")
	d.pass(20 * time.Minute)
	b.get(answer.Account).as("200").not("Sign out everywhere else") // the others have been left alone for too long
	begin(100)
	r := b.get(answer.Account).as("200").says("71 older ones are not shown.", "This one")
	if ends := strings.Count(r.body, `name="end"`); ends != 30 { // all but this one, and one for all others
		t.Errorf("%d sessions can be ended", ends)
	}
	if len(r.body) > 40_000 {
		t.Errorf("the page has %d bytes", len(r.body))
	}
	b.post(sessionsAddress, "end", "others").as(done(answer.Account, pages.NoticeOthersEnded))
	d.audited(alice, "session.revoke success: all others")
	if left := d.person(alice).Sessions; len(left) != 1 || hex.EncodeToString(left[0].ID) != b.id {
		t.Errorf("%d sessions are left", len(left))
	}
	b.get(answer.Account).as("200")
}

func TestEndSession(t *testing.T) {
	d := newDesk(t, audiences{"team": {}})
	alice, bob := d.add("alice@example.test"), d.add("bob@example.test")
	b, other, bobs := d.signIn(alice, how{}), d.signIn(alice, how{}), d.signIn(bob, how{})
	other.get(answer.Account).as("200")
	before := d.state(alice, bob)
	for _, id := range []string{bobs.id, strings.Repeat("00", 32), "00"} {
		b.post(sessionsAddress, "end", id).as(done(answer.Account, pages.NoticeGone))
	}
	for _, id := range []string{"", "x", "' OR 1=1 --", "OTHERS"} {
		b.post(sessionsAddress, "end", id).as("400")
	}
	if d.state(alice, bob) != before {
		t.Error("something was done")
	}
	b.post(sessionsAddress, "end", other.id).as(done(answer.Account, pages.NoticeSessionEnded))
	d.audited(alice, "session.revoke success: one session")
	other.get(answer.Account).as("302 " + answer.SignInFor(answer.Account))
	b.post(sessionsAddress, "end", other.id).as(done(answer.Account, pages.NoticeGone))
	b.post(sessionsAddress, "end", b.id).as(done(answer.Account, pages.NoticeSessionEnded)) // one's own, too
	b.get(answer.Account).as("302 " + answer.SignInFor(answer.Account))
	bobs.get(answer.Account).as("200")
}

func TestForgetDevice(t *testing.T) {
	d := newDesk(t, audiences{"team": {}})
	alice, bob := d.add("alice@example.test"), d.add("bob@example.test")
	b, device, bobs := d.signIn(alice, how{}), d.trusts(alice), d.trusts(bob)
	b.post(devicesAddress, "forget", bobs).as(done(answer.Account, pages.NoticeGone))
	b.post(devicesAddress, "forget", "x").as("400")
	b.post(devicesAddress, "forget", device).as(done(answer.Account, pages.NoticeForgotten))
	d.audited(alice, "device.forget success: ")
	if n := len(d.person(alice).TrustedDevices); n != 0 || len(d.person(bob).TrustedDevices) != 1 {
		t.Errorf("%d are left", n)
	}
}

func TestName(t *testing.T) {
	d := newDesk(t, audiences{"team": {}})
	alice := d.add("alice@example.test")
	b := d.signIn(alice, how{})
	d.pass(time.Hour) // needs no fresh sign-in
	b.get(nameAddress).as("200").has(`value="&lt;Somebody&gt;"`, `value="`+token+`"`)
	b.post(nameAddress, "name", "a\x07b").as("422").says("This name cannot be used.")
	b.post(nameAddress, "name", strings.Repeat("x", 257)).as("422")
	b.post(nameAddress).as("400")
	b.post(nameAddress, "name", " アリス ").as(done(answer.Account, pages.NoticeName))
	d.audited(alice, "name.change success: ")
	b.get(answer.Account+"?done=name").as("200").says("アリス", "Your name has been changed.")
	d.links(alice, "okta")
	b.get(nameAddress).as("404")
	b.post(nameAddress, "name", "Somebody Else").as("404")
	if name := d.person(alice).Attributes.Name; name != "アリス" {
		t.Errorf("called %q", name)
	}
}

// Of fifty at once one is done, and the others say that they were not; what can
// be done again is done as often as somebody is told so.
func TestAtOnce(t *testing.T) {
	for _, name := range []string{"password", "session", "device", "remove", "codes"} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, audiences{"team": {}})
			alice := d.add("alice@example.test")
			form := acts(d, alice)[name]
			b := d.signIn(alice, how{secondFactor: true})
			b.get(answer.Account).as("200")
			epoch := d.person(alice).Epoch
			replies := make([]*reply, 50)
			var all sync.WaitGroup
			start := make(chan struct{})
			for i := range replies {
				all.Go(func() { <-start; replies[i] = b.post(form[0], form[1:]...) })
			}
			close(start)
			all.Wait()
			won := 0
			for _, r := range replies {
				switch {
				case r.status == 200 || r.status == 303 && !strings.HasSuffix(r.location, "=gone") && !strings.HasSuffix(r.location, "=meanwhile"):
					won++
				case r.status != 303 && r.status != 503: // so many passwords are hashed one after the other
					t.Errorf("answered %d", r.status)
				}
			}
			// Whoever comes after the first one changes what that has left.
			moved := int(d.person(alice).Epoch - epoch)
			again := name == "password" || name == "codes"
			if won < 1 || won > 1 && !again || needFresh[name] != "" && won != moved {
				t.Errorf("%d say that they did it, the epoch moved by %d", won, moved)
			}
			b.get(answer.Account).as("200")
		})
	}
}

func TestRoles(t *testing.T) {
	for role, want := range map[identity.Role]string{identity.EndUser: "User", identity.Agent: "Agent", identity.Admin: "Administrator"} {
		d := newDesk(t, audiences{"team": {}})
		made, err := d.people.Create(t.Context(), account.NewAccount{Email: "alice@example.test", Role: role, Password: password}, nil)
		d.must(err)
		d.signIn(made, how{}).get(answer.Account).as("200").says(want)
	}
}

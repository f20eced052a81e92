package signin_test

import (
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

var errDisk = errors.New("the disk is gone")

func (s *site) link(a store.Account, purpose store.Purpose) (token string) {
	s.Helper()
	token, _, err := s.people.IssueLink(s.Context(), a.ID, purpose, nil)
	s.must(err)
	s.hide(token, "token")
	return token
}

func TestReset(t *testing.T) {
	s, alice, app, _ := withFactor(t)
	old := s.browser()
	old.passcode(old.begin("/"), app.code()).as("303 /")
	token := s.link(alice, store.PurposeReset)
	b := s.browser()
	address := answer.Reset + "?token=" + url.QueryEscape(token)
	for range 3 { // mail scanners follow links
		if r := b.get(address).as("200"); !strings.Contains(r.body, "alice@example.test") {
			t.Error("the form does not say whose password it sets")
		}
	}
	b.send("HEAD", address, nil, nil).as("200")
	for name, weak := range map[string]string{
		"nothing": "", "too short": "short", "common": "passwordpassword", "the address": "alice alice alice", "too long": strings.Repeat("ab ", 400),
	} {
		r := b.post(answer.Reset, "token", token, "password", weak).as("422")
		if r.field("token") != token || !strings.Contains(r.body, `role="alert"`) {
			t.Errorf("%s: the form is not there again with what is wrong", name)
		}
	}
	old.is("alice@example.test")
	b.post(answer.Reset, "token", token, "password", "another right long one").as("200")
	s.audited("password.set success one-time link, reset")
	b.is("")
	old.is("")
	b.get(address).as("410")
	s.audited("password.set failure one-time link: unknown, used or expired")
	b.post(answer.Reset, "token", token, "password", "yet another long one").as("410")
	b.signIn("alice@example.test", password, "/").as("401")
	b.signIn("alice@example.test", "another right long one", "/").flow() // the second factor is still asked for
	b.is("")
}

func TestInvitation(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	bob := s.add("bob@example.test", "")
	address := func(token string) string { return answer.Reset + "?token=" + token }
	reset, invitation := s.link(bob, store.PurposeReset), s.link(bob, store.PurposeInvitation)
	s.browser().get(address(reset)).as("410") // a later link ends earlier ones
	invited := text(s.browser().get(address(invitation)).as("200").body)
	resetting := text(s.browser().get(address(s.link(bob, store.PurposeReset))).as("200").body)
	if invited == resetting {
		t.Error("an invitation reads like a reset")
	}
	late := s.link(bob, store.PurposeReset)
	s.pass(time.Hour)
	s.browser().get(address(late)).as("410")
	later := s.link(bob, store.PurposeInvitation)
	s.pass(72*time.Hour - time.Second)
	s.browser().get(address(later)).as("200")
	s.must(s.people.Suspend(t.Context(), bob.ID, nil))
	s.browser().post(answer.Reset, "token", later, "password", password).as("410")
}

func TestLinkFiftyTimes(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	token := s.link(s.add("bob@example.test", ""), store.PurposeInvitation)
	var set atomic.Int32
	atOnce(50, func(int) {
		b := s.browser()
		for {
			switch r := b.post(answer.Reset, "token", token, "password", password); r.status {
			case 200:
				set.Add(1)
				return
			case 503: // too many passwords at once
			default:
				return
			}
		}
	})
	if set.Load() != 1 || s.counted("password.set success") != 1 {
		t.Errorf("%d set a password, %d in the audit trail, want 1", set.Load(), s.counted("password.set success"))
	}
}

// Asking for a link says the same to everyone.
func TestAskingForALink(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("alice@example.test", password)
	known := s.browser().post(answer.Reset, "email", "alice@example.test").as("200")
	unknown := s.browser().post(answer.Reset, "email", "nobody@example.test").as("200")
	if known.body != unknown.body {
		t.Error("the answers differ")
	}
}

func TestSignOut(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	alice := s.add("alice@example.test", password)
	b := s.browser()
	b.signIn("alice@example.test", password, "/").as("303 /")
	other := s.browser()
	other.signIn("alice@example.test", password, "/").as("303 /")
	stolen := b.copy()

	b.get(answer.SignOut).as("200").says("alice@example.test")
	b.send("HEAD", answer.SignOut, nil, nil).as("200")
	b.is("alice@example.test")
	b.post(answer.SignOut).as("303 " + answer.SignOut)
	s.audited("sign-out success")
	b.get(answer.SignOut).as("200")
	for name := range b.cookies {
		if name != "__Host-auth_gateway_device" {
			t.Errorf("the cookie %s is still there", name)
		}
	}
	stolen.is("")
	other.is("alice@example.test")
	stolen.post(answer.SignOut).as("303 " + answer.SignOut)
	if n := s.counted("sign-out success"); n != 1 || len(s.sessions(alice)) != 1 {
		t.Errorf("%d sign-outs in the audit trail, %d sessions", n, len(s.sessions(alice)))
	}
}

// A sign-out that the store cannot keep is not said to have happened.
func TestSignOutWithAStoreAtFault(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("alice@example.test", password)
	b := s.browser()
	b.signIn("alice@example.test", password, "/").as("303 /")
	s.breaks(func(op string) error {
		if op == "commit" {
			return errDisk
		}
		return nil
	})
	b.post(answer.SignOut).as("503")
	s.breaks(nil)
	b.is("alice@example.test")
}

// A new sign-in ends the browser's session before, so nobody can prepare one.
func TestSessionIsNewAtEverySignIn(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("alice@example.test", password)
	s.add("mallory@example.test", password+" 2")
	b := s.browser()
	b.signIn("mallory@example.test", password+" 2", "/").as("303 /")
	mallorys := b.copy()
	b.signIn("alice@example.test", password, "/").as("303 /")
	b.is("alice@example.test")
	mallorys.is("")
}

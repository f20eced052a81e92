//go:build integration

package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/deliver/delivertest"
)

// Whoever's address or second factor an administrator changes hears of it, and
// what was mailed to an address that is not theirs any more ends.
func TestAdministratorsActsAreTold(t *testing.T) {
	t.Parallel()
	server := delivertest.New(t, delivertest.Options{})
	g := withMail(t, server, "", "tls off\ninvitations off")
	g.AddUser(alice)
	signedIn := g.SignedIn(alice)
	b := g.Browser()
	b.Submit(b.Get("/auth-gateway/reset").Form("email").Set("email", alice)).Want(http.StatusOK)
	link := linkIn(t, g, server.Next(t, alice))

	const right = "alice@right.test"
	g.Must("user", "set", alice, "--email", right)
	for _, address := range []string{alice, right} {
		notice := server.Next(t, address)
		if !strings.Contains(notice.Subject, "e-mail address") || !strings.Contains(notice.Text, address) {
			t.Errorf("to %s: %s\n%s", address, notice.Subject, notice.Text)
		}
	}
	g.Browser().Get(link.RequestURI()).Want(http.StatusGone)
	if signedIn.Whoami() != nil {
		t.Error("a session outlived the address")
	}
	// What changes no address is nobody's business.
	g.Must("user", "set", right, "--name", "Alice")
	g.Must("user", "reset-second-factor", right)
	notice := server.Next(t, right)
	if !strings.Contains(notice.Subject, "second factor") {
		t.Errorf("%s\n%s", notice.Subject, notice.Text)
	}
	if more := server.Letters(); len(more) != 0 {
		t.Errorf("%+v", more)
	}
}

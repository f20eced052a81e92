//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// pushedOut is what whoever comes back to a sign-in is told that newer ones have
// pushed out.
const pushedOut = "Too many sign-ins were open in this browser"

// S14: eight tabs at once each land where they began. The ninth pushes out the
// oldest, which is told so and gets there all the same.
func TestBrowserTabs(t *testing.T) {
	// From this machine straight to the provider, from elsewhere by password.
	g, p := withProvider(t, "admit any\nip_ranges "+anywhere, "second_factor required", modes[0])
	g.AddUser(alice)
	_, codes := g.Enroll(g.Browser(harness.From(office)), alice)
	address := func(i int) string { return fmt.Sprintf("/somewhere/%d?tab=%d&x=%%2F", i, i) }

	t.Run("away at the provider", func(t *testing.T) {
		g.For(t)
		b := harness.StartChromium(t, "en")
		tabs := []*harness.Chromium{b}
		for range 8 {
			tabs = append(tabs, b.Tab())
		}
		lands := func(i int) {
			t.Helper()
			tabs[i].WaitText(harness.Marker)
			if tabs[i].Address() != g.URL+address(i) || !strings.Contains(tabs[i].Text(), "bob@example.test") {
				t.Errorf("tab %d landed at %s: %s", i, tabs[i].Address(), tabs[i].Text())
			}
		}
		for i, tab := range tabs {
			tab.Open(g.URL + address(i))
			if !strings.HasPrefix(tab.Address(), p.Issuer) {
				t.Fatalf("tab %d: %s", i, tab.Address())
			}
		}
		for i, tab := range tabs {
			tab.Type("login", "bob")
			tab.Submit("login")
			if i > 0 {
				lands(i)
				continue
			}
			tab.WaitText(pushedOut)
			tab.WaitText("Continue with public")
			tab.Screenshot("pushed-out")
		}
		// The way in that the first one was shown is a way on by now.
		b.Open(b.Address())
		lands(0)
	})

	// The same with a password, at the passcode. Each tab takes a recovery
	// code: of the app there is one in half a minute.
	t.Run("at the passcode", func(t *testing.T) {
		g.For(t)
		b := g.Browser(harness.From(office))
		var flows []string
		for i := range 9 {
			flows = append(flows, b.SignIn(address(i), alice, harness.Password).URL.Query().Get("flow"))
		}
		told := b.Follow(b.Step("passcode", flows[0], "passcode", codes[0]))
		says(t, told, pushedOut)
		if told.Status != http.StatusOK || told.ID("error-id") != "" {
			t.Errorf("an explanation is no error: %v", told)
		}
		for i, flow := range flows[1:] {
			if got := b.Follow(b.Step("passcode", flow, "passcode", codes[i+1])).App(); got.URI != address(i+1) {
				t.Errorf("tab %d landed at %s", i+1, got.URI)
			}
		}
		if got := b.Open(told.URL.String()).App(); got.URI != address(0) {
			t.Errorf("the first tab landed at %s", got.URI)
		}
	})
}

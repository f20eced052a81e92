//go:build integration

package integration

import "testing"

// S6: what is wrong with an SSO config shows before anybody signs in.
func TestSSOCheck(t *testing.T) {
	t.Parallel()
	g, _ := withProvider(t, "admit any\nbutton Go", "", modes...)
	type finding struct{ What, Verdict, Says string }
	verdicts := func(name string) map[string]string {
		var found []finding
		g.JSON(&found, "sso", "check", name)
		all := map[string]string{}
		for _, f := range found {
			all[f.What] = f.Verdict
		}
		return all
	}
	for _, config := range modes {
		got := verdicts(config.name)
		for _, what := range []string{"discovery", "clock", "keys", "scopes", "client authentication", "callback"} {
			if got[what] != "ok" {
				t.Errorf("%s: %s: %s", config.name, what, got[what])
			}
		}
	}
	g.SetEnv("CLIENT_SECRET", "another secret than the provider's")
	g.Restart()
	for name, fails := range map[string]bool{"confidential": true, "public": false, "nobody": true} {
		if outcome := g.Command("sso", "check", name); (outcome.Status != 0) != fails {
			t.Errorf("%s: %+v", name, outcome)
		}
	}
}

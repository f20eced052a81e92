//go:build integration

package pages

import (
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// settings are the words of an audience, and what a gate with them offers.
const (
	requiredAndTrusting = "audience team {\nsecond_factor required\ntrust_device 30d\n}\n"
	optional            = "audience team {\nsecond_factor optional\n}\n"
)

// Every way through the second factor, as people go it who have no mouse, who
// mistype, press twice, go back and load pages anew: on a phone and at a desk, in
// English and Japanese.
func TestWays(t *testing.T) {
	g := harness.StartSendingGate(t, requiredAndTrusting)
	b := harness.StartChromium(t, "en")
	b.Front()
	seen := map[string]bool{}
	// Those with the same settings stand together, so that there is little to
	// reload.
	for _, way := range []struct {
		name     string
		settings string
		screens  []screen
		goes     func(*person)
	}{
		{"mail", requiredAndTrusting, []screen{deskEnglish, phoneJapanese}, wayByMail},
		{"sms", requiredAndTrusting, []screen{phoneEnglish, deskJapanese}, wayBySMS},
		{"reset", requiredAndTrusting, []screen{deskEnglish, phoneJapanese}, wayByReset},
		{"mail-down", requiredAndTrusting, []screen{phoneEnglish, deskJapanese}, wayAroundMail},
		{"account", optional, []screen{deskEnglish, phoneJapanese}, wayOfAccount},
		{"settings", optional, []screen{phoneEnglish, deskJapanese}, wayOfSettings},
	} {
		for _, s := range way.screens {
			t.Run(way.name+"-"+s.String(), func(t *testing.T) {
				p := newPerson(t, g, b, seen, s, way.name)
				p.settings(way.settings)
				way.goes(p)
			})
		}
	}
}

// settings has the operator change what the gate is told.
func (p *person) settings(words string) {
	p.t.Helper()
	p.g.Configure(
		harness.GatewayOption(harness.MailWords(p.g.Mail, "")+p.g.Phones.Words+words),
		harness.GatewaySite("{$SITE}", "", "origin {$SITE}"))
	p.g.Reload()
}

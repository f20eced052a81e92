package signin_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
)

// pushedOut is where somebody is sent who comes back to a sign-in that newer ones
// have pushed out.
const pushedOut = answer.SignIn + "?ended=others&return_to="

// flowCount is how many cookies of sign-ins the browser has.
func (b *browser) flowCount() int { return strings.Count(strings.Join(keys(b.cookies), " "), "_flow_") }

// Eight tabs are in the middle of signing in; the ninth pushes out the first,
// which is told so and goes on to where it was going.
func TestNinthFlow(t *testing.T) {
	s, _, app, _ := withFactor(t)
	b := s.browser()
	var flows []string
	for i := range 9 {
		s.pass(time.Second)
		flows = append(flows, b.begin(fmt.Sprintf("/%d?x=1", i)))
	}
	b.passcode(flows[0], app.code()).as("303 " + pushedOut + "%2F0%3Fx%3D1")
	b.is("")
	page := b.get(pushedOut + "%2F0%3Fx%3D1").as("200").says("Too many sign-ins were open")
	if page.field("return_to") != "/0?x=1" {
		t.Errorf("the page leads to %q", page.field("return_to"))
	}
	b.passcode(flows[1], app.code()).as("303 /1?x=1")
	b.get(pushedOut + "%2F0%3Fx%3D1").as("302 /0?x=1")
}

// Likewise with eight tabs that are away at the provider.
func TestNinthTabAtTheProvider(t *testing.T) {
	s, okta := withSSO(t)
	b := s.browser()
	var queries []url.Values
	for i := range 9 {
		s.pass(time.Second)
		queries = append(queries, b.away(okta, fmt.Sprintf("%sokta/start?return_to=%%2F%d", answer.SSO, i)))
	}
	events := len(s.events())
	b.get(callback + queries[0].Encode()).as("302 " + pushedOut + "%2F0")
	if len(s.events()) != events+1 {
		t.Error("the audit trail does not have it")
	}
	// Everyone goes straight to the provider here, and nobody without a word
	// who has been pushed out.
	page := b.get(pushedOut + "%2F0").as("200").says("Too many sign-ins were open")
	if !strings.Contains(page.body, answer.SSO+"okta/start?return_to=%2F0") {
		t.Error("the page does not lead to the provider")
	}
	b.is("")
	b.get(callback + queries[0].Encode()).as("400") // told once
	for i, query := range queries[1:] {
		b.get(callback + query.Encode()).as(fmt.Sprintf("302 /%d", i+1))
	}
	b.get(pushedOut + "%2F0").as("302 /0")
}

// However many sign-ins are begun, a browser carries a bounded number of short
// cookies; where the oldest of them were going is forgotten.
func TestHundredTabs(t *testing.T) {
	s, okta := withSSO(t)
	b := s.browser()
	long := "%2F" + strings.Repeat("a", 300)
	var queries []url.Values
	for i := range 100 {
		s.pass(time.Second)
		returnTo := fmt.Sprintf("%%2F%d", i)
		if i == 91 {
			returnTo = long
		}
		queries = append(queries, b.away(okta, answer.SSO+"okta/start?return_to="+returnTo))
	}
	if n := b.flowCount(); n != 15 {
		t.Errorf("%d cookies, want 8 and the 7 that are left of 8", n)
	}
	for i, want := range map[int]string{
		0:  "400",
		83: "400",
		84: "302 " + pushedOut + "%2F84",
		90: "302 " + pushedOut + "%2F90",
		91: "400", // longer than what is kept
		92: "302 /92",
		99: "302 /99",
	} {
		b.copy().get(callback + queries[i].Encode()).as(want)
	}
	// Signing out leaves nothing of them.
	b.get(callback + queries[99].Encode()).as("400") // used by the copy
	b.post(answer.SignOut).as("303 " + answer.SignOut)
	if n := b.flowCount(); n != 0 {
		t.Errorf("%d cookies of sign-ins are left", n)
	}
}

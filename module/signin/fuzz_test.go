package signin

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
)

// FuzzFlow: whatever stands in Cookie and in the field or parameter "flow", a
// flow is the one that was sealed under its id, or there is none; and the same
// for the browser that is known again.
func FuzzFlow(f *testing.F) {
	now := time.Now()
	ring, err := secret.NewRing(strings.Repeat("s", 32))
	if err != nil {
		f.Fatal(err)
	}
	c := &Conversation{
		Config:  Config{Clock: func() time.Time { return now }},
		flows:   flowCookies{ring.Cookies("flow cookie", flowLifetime)},
		devices: newDeviceCookies(ring),
	}
	sealed := map[string]flowCookie{
		"AAAAAAAAAAAAAAAA": {Token: "the token of a flow", At: 1},
		"BBBBBBBBBBBBBBBB": {Token: "the token of another", At: 2},
		"CCCCCCCCCCCCCCCC": {Provider: &providerFlow{SSO: "okta", Pending: sso.Pending{State: "CCCCCCCCCCCCCCCC.state"}, ReturnTo: "/a?b=c"}, At: 3},
	}
	const device = "the id of a browser"
	cookies := map[string]string{}
	add := func(codec *secret.Cookies, name, payload string) {
		value, err := codec.Encode(name, []byte(payload), now)
		if err != nil {
			f.Fatal(err)
		}
		cookies[name] = value
	}
	for id, flow := range sealed {
		payload, err := json.Marshal(flow)
		if err != nil {
			f.Fatal(err)
		}
		add(c.flows.cookies, session.FlowCookiePrefix+id, string(payload))
	}
	add(c.devices.cookies, session.DeviceCookieName, `{"id":"`+device+`"}`)
	var whole []string
	for name, value := range cookies {
		whole = append(whole, "__Host-"+name+"="+value)
		for other := range cookies {
			for id := range sealed {
				f.Add("__Host-"+other+"="+value, id)
				f.Add("__Host-"+name+"="+value+"=", id)
				f.Add("__Host-"+name+"="+value+"; __Host-"+other+"="+value, id)
			}
		}
	}
	f.Add(strings.Join(whole, "; "), "AAAAAAAAAAAAAAAA")
	f.Add(strings.Join(whole, ";"), "")
	f.Add(strings.Join(whole, "; "), "CCCCCCCCCCCCCCCC.state")
	f.Add("__Host-auth_gateway_flow_="+cookies["auth_gateway_flow_AAAAAAAAAAAAAAAA"], "")
	f.Add("", "AAAAAAAAAAAAAAAA\x00")

	f.Fuzz(func(t *testing.T, header, id string) {
		r := &http.Request{Header: http.Header{"Cookie": {header}}}
		x := &exchange{Conversation: c, w: httptest.NewRecorder(), r: r, visit: policy.Visit{Secure: true}}
		check := func(id string, got flowCookie) {
			want, known := sealed[id]
			want.id = id
			if !known || text(t, got) != text(t, want) || got.id != id {
				t.Fatalf("%q: flow %q is %s, want %s", header, id, text(t, got), text(t, want))
			}
		}
		if got, ok := c.flows.get(x, id); ok {
			check(id, got)
			if !strings.Contains(header, id) {
				t.Fatalf("%q: flow %q is there without its cookie", header, id)
			}
		}
		seen := map[string]bool{}
		for _, got := range c.flows.all(x) {
			check(got.id, got)
			if seen[got.id] {
				t.Fatalf("%q: flow %q is there twice", header, got.id)
			}
			seen[got.id] = true
		}
		if got := c.devices.read(x); got != nil && (got.ID != device || got.Knows("anybody")) {
			t.Fatalf("%q: browser %+v", header, got)
		}
		if token := c.devices.formToken(x); token != "" && token != c.devices.tokenOf(&account.Device{ID: device}) {
			t.Fatalf("%q: form token %q", header, token)
		}
	})
}

func text(t *testing.T, c flowCookie) string {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

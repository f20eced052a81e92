package module

import (
	"testing"
)

// Of what a request wants to switch to only a WebSocket is left: everything else
// would be a tunnel to the app.
func TestUpgradeIsAWebSocketOrNone(t *testing.T) {
	for _, tc := range []struct {
		name   string
		wanted []string
		want   string
	}{
		{"nothing", nil, ""},
		{"a WebSocket", []string{"websocket"}, "websocket"},
		{"in capitals", []string{"WebSocket"}, "websocket"},
		{"its version", []string{"websocket/13"}, "websocket"},
		{"HTTP/2 without TLS", []string{"h2c"}, ""},
		{"HTTP/2 first", []string{"h2c, websocket"}, "websocket"},
		{"HTTP/2 second", []string{"websocket, h2c"}, "websocket"},
		{"HTTP/2 in a line before", []string{"h2c", "websocket"}, "websocket"},
		{"TLS", []string{"TLS/1.3"}, ""},
		{"a name that begins alike", []string{"websocket-of-mine"}, ""},
		{"a name that ends alike", []string{"not-websocket"}, ""},
		{"empty", []string{""}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newGate(t, &App{}, &Gateway{Public: []string{"/public"}})
			for _, path := range []string{"/public", "/private"} {
				r := request("GET", path, g.signIn(t))
				r.Header.Set("Connection", "Upgrade")
				r.Header.Set("Http2-Settings", "AAMAAABkAAQAAP__")
				r.Header.Set("Origin", "http://localhost:8080")
				if tc.wanted != nil {
					r.Header["Upgrade"] = tc.wanted
				}
				_, received := g.serve(t, r)
				if received == nil {
					t.Fatalf("%s: the app was not reached", path)
				}
				if got := received["Upgrade"]; tc.want == "" && got != nil || tc.want != "" && (len(got) != 1 || got[0] != tc.want) {
					t.Errorf("%s: the app received Upgrade %q, want %q", path, got, tc.want)
				}
				if tc.wanted != nil && tc.want == "" && received["Http2-Settings"] != nil {
					t.Errorf("%s: the app received its settings", path)
				}
			}
		})
	}
}

package module

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/standard"
)

// A portal that no site serves is found before anything is started.
func TestPortalIsServed(t *testing.T) {
	const gateway = `{"handler": "auth_gateway", "origins": [%q]}`
	site := func(host, handler string) string {
		return fmt.Sprintf(`{"match": [{"host": [%q]}], "handle": [%s]}`, host, handler)
	}
	inside := func(route string) string { return `{"handler": "subroute", "routes": [` + route + `]}` }
	elsewhere := fmt.Sprintf(gateway, "https://a.example.test")
	app := site("a.example.test", elsewhere)
	for name, tc := range map[string]struct {
		routes string
		served bool
	}{
		"nobody":               {app, false},
		"another app":          {app + "," + site("login.example.test", `{"handler": "static_response"}`), false},
		"a site":               {app + "," + site("login.example.test", `{"handler": "auth_gateway"}`), true},
		"a site before":        {site("login.example.test", `{"handler": "auth_gateway"}`) + "," + app, true},
		"inside of a wildcard": {app + "," + site("*.example.test", inside(site("login.example.test", `{"handler": "auth_gateway"}`))), true},
		"deep inside":          {app + "," + site("login.example.test", inside(`{"handle": [`+inside(`{"handle": [{"handler": "auth_gateway"}]}`)+`]}`)), true},
		"an origin line":       {app + "," + site("*.example.test", fmt.Sprintf(gateway, "https://login.example.test")), true},
		"another name inside":  {app + "," + site("b.example.test", inside(`{"handle": [{"handler": "auth_gateway"}]}`)), false},
	} {
		t.Run(name, func(t *testing.T) {
			config := new(caddy.Config)
			text := `{"admin": {"disabled": true}, "storage": {"module": "file_system", "root": ` + fmt.Sprintf("%q", t.TempDir()) + `}, "apps": {
				"auth_gateway": {"portal": "https://login.example.test", "store": {"path": ` + fmt.Sprintf("%q", t.TempDir()+"/x.db") + `}},
				"http": {"servers": {"s": {"listen": ["127.0.0.1:0"], "automatic_https": {"disable": true}, "routes": [` + tc.routes + `]}}}}}`
			if err := json.Unmarshal([]byte(text), config); err != nil {
				t.Fatal(err)
			}
			err := caddy.Validate(config)
			if tc.served && err != nil || !tc.served && (err == nil || !strings.Contains(err.Error(), "no site with auth_gateway is served at https://login.example.test")) {
				t.Errorf("%v", err)
			}
		})
	}
}

package module

import (
	"context"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() { caddy.RegisterModule(new(reachProbe)) }

// reachProbe stands where a gateway could, and tells what reachesPages says.
type reachProbe struct {
	Name string `json:"name"`
}

var reached map[string]bool

func (*reachProbe) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.reach_probe", New: func() caddy.Module { return new(reachProbe) }}
}

func (p *reachProbe) Provision(ctx caddy.Context) error {
	reached[p.Name] = reachesPages(ctx)
	return nil
}

func (p *reachProbe) ServeHTTP(http.ResponseWriter, *http.Request, caddyhttp.Handler) error {
	return nil
}

func TestReachesPages(t *testing.T) {
	const config = `{"routes": [
		{"match": [{"path": ["/first/*"]}], "handle": [{"handler": "reach_probe", "name": "path"}]},
		{"match": [{"host": ["a.example.com"]}], "handle": [{"handler": "reach_probe", "name": "host"}]},
		{"handle": [{"handler": "vars"}, {"handler": "reach_probe", "name": "no matcher, second handler"}]},
		{"match": [{"path": ["/admin/*", "/auth-gateway/*"]}], "handle": [{"handler": "reach_probe", "name": "path with the pages"}]},
		{"match": [{"path": ["/*"]}], "handle": [{"handler": "reach_probe", "name": "every path"}]},
		{"match": [{"path": ["/x"]}, {"host": ["a.example.com"]}], "handle": [{"handler": "reach_probe", "name": "path or host"}]},
		{"match": [{"host": ["a.example.com"]}], "handle": [{"handler": "subroute", "routes": [
			{"handle": [{"handler": "reach_probe", "name": "nested"}]},
			{"match": [{"path": ["/x*"], "method": ["GET"]}], "handle": [{"handler": "subroute", "routes": [
				{"handle": [{"handler": "reach_probe", "name": "nested in a path"}]}
			]}]}
		]}]},
		{"match": [{"path": ["/last/*"]}], "handle": [{"handler": "vars"}]}
	]}`
	reached = make(map[string]bool)
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	if _, err := ctx.LoadModuleByID("http.handlers.subroute", []byte(config)); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{
		"path": false, "host": true, "no matcher, second handler": true, "path with the pages": true,
		"every path": true, "path or host": true, "nested": true, "nested in a path": false,
	}
	for name, reaches := range want {
		if got, ok := reached[name]; !ok || got != reaches {
			t.Errorf("%s: got %v (seen: %v), want %v", name, got, ok, reaches)
		}
	}
}

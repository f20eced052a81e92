package caddyfile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/auth-gateway/caddy-auth-gateway/module"
)

var (
	// located is where a mistake is.
	located = regexp.MustCompile(`Caddyfile:[1-9][0-9]*`)

	// onMachine is what is known only when the configuration is loaded:
	// placeholders, a logo's file and that of a client's key.
	onMachine = regexp.MustCompile(`\{(env|file)\.|logo|private_key_jwt`)
)

// FuzzCaddyfile: whatever is written, adapting returns, and the same each time;
// a mistake in our words is told with file and line; and what comes out is JSON
// that the modules take back without a rest and that loads, unless something
// of the machine stands against it.
func FuzzCaddyfile(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(content), dashes)
		f.Add(input + "\n")
	}
	f.Setenv("XDG_DATA_HOME", f.TempDir())
	f.Fuzz(func(t *testing.T, input string) {
		if strings.Contains(input, "import") {
			t.Skip("would read files of this machine")
		}
		adapt := func() ([]byte, []caddyconfig.Warning, error) {
			return caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), map[string]any{"filename": "Caddyfile"})
		}
		output, warnings, err := adapt()
		again, warnedAgain, errAgain := adapt()
		if (err == nil) != (errAgain == nil) || string(output) != string(again) || !reflect.DeepEqual(warnings, warnedAgain) {
			t.Fatalf("first:\n%s\n%v %v\nsecond:\n%s\n%v %v", output, warnings, err, again, warnedAgain, errAgain)
		}
		if err != nil {
			// Caddy does not tell the place of all of its own mistakes.
			for _, err := range mistakes(input) {
				if !located.MatchString(err.Error()) {
					t.Fatalf("file and line are missing: %v", err)
				}
			}
			return
		}
		for _, warning := range warnings {
			if warning.File == "" || warning.Line < 1 {
				t.Fatalf("file and line are missing: %+v", warning)
			}
		}
		if err := loads(t, output); err != nil && !onMachine.MatchString(input) {
			t.Fatalf("adapts and does not load: %v\n%s", err, output)
		}
	})
}

// mistakes are what our own parsers say of an input.
func mistakes(input string) (all []error) {
	blocks, err := caddyfile.Parse("Caddyfile", []byte(input))
	if err != nil {
		return nil
	}
	note := func(err error) {
		if err != nil {
			all = append(all, err)
		}
	}
	for i, block := range blocks {
		for _, segment := range block.Segments {
			switch {
			case segment.Directive() != name:
			case i == 0 && len(block.Keys) == 0:
				_, err := parseGlobal(caddyfile.NewDispenser(segment), nil)
				note(err)
			default:
				_, err := parseDirective(httpcaddyfile.Helper{Dispenser: caddyfile.NewDispenser(segment)})
				note(err)
			}
		}
	}
	return all
}

func init() { caddy.RegisterModule(new(sites)) }

// sites is an app that holds gateways in place of Caddy's HTTP app.
type sites struct {
	Gateways []json.RawMessage `json:"gateways"`
}

func (*sites) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "fuzz_sites", New: func() caddy.Module { return new(sites) }}
}

func (s *sites) Provision(ctx caddy.Context) error {
	for _, raw := range s.Gateways {
		if _, err := ctx.LoadModuleByID("http.handlers."+name, raw); err != nil {
			return err
		}
	}
	return nil
}

func (*sites) Start() error { return nil }
func (*sites) Stop() error  { return nil }

// loads has Caddy provision what is ours in a configuration, and nothing else:
// other modules may write files or speak to the network.
func loads(t *testing.T, output []byte) error {
	t.Helper()
	var adapted struct {
		Apps map[string]json.RawMessage
	}
	if err := json.Unmarshal(output, &adapted); err != nil {
		t.Fatal(err)
	}
	apps := make(map[string]any)
	if raw := adapted.Apps["auth_gateway"]; raw != nil {
		if err := caddy.StrictUnmarshalJSON(raw, new(module.App)); err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		apps["auth_gateway"] = raw
	}
	var gateways []json.RawMessage
	for _, raw := range gatewaysIn(t, output) {
		if err := caddy.StrictUnmarshalJSON(raw, new(module.Gateway)); err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		gateways = append(gateways, raw)
	}
	apps["fuzz_sites"] = sites{gateways}
	ours, err := json.Marshal(map[string]any{
		"admin": map[string]any{"disabled": true}, "apps": apps,
	})
	if err != nil {
		t.Fatal(err)
	}
	config := new(caddy.Config)
	if err := json.Unmarshal(ours, config); err != nil {
		t.Fatal(err)
	}
	return caddy.Validate(config)
}

// gatewaysIn finds the handlers of ours in a configuration, wherever they are.
func gatewaysIn(t *testing.T, config []byte) (found []json.RawMessage) {
	var value any
	if err := json.Unmarshal(config, &value); err != nil {
		t.Fatal(err)
	}
	var walk func(any)
	walk = func(value any) {
		switch value := value.(type) {
		case []any:
			for _, item := range value {
				walk(item)
			}
		case map[string]any:
			for _, item := range value {
				walk(item)
			}
			if value["handler"] == name {
				delete(value, "handler")
				raw, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, raw)
			}
		}
	}
	walk(value)
	return found
}

package caddyfile

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/auth-gateway/caddy-auth-gateway/module"
)

// exampleSecrets are what the examples have in placeholders.
var exampleSecrets = map[string]string{
	"AUTHENTIK_CLIENT_SECRET": "of-the-example",
	"GITLAB_CLIENT_SECRET":    "of-the-example",
	"GOOGLE_CLIENT_SECRET":    "of-the-example",
	"KEYCLOAK_CLIENT_SECRET":  "of-the-example",
	"OKTA_CLIENT_SECRET":      "of-the-example",
	"SMTP_PASSWORD":           "of-the-example",
	"TWILIO_ACCOUNT_SID":      twilioAccount,
	"TWILIO_BASIC":            base64.StdEncoding.EncodeToString([]byte(twilioKey)),
	"VONAGE_BASIC":            base64.StdEncoding.EncodeToString([]byte(vonageKey)),
}

// example adapts the Caddyfile of an example, which must not give a warning
// (caddy fmt has nothing to say either).
func example(t *testing.T, file string) *caddy.Config {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	for name, value := range exampleSecrets {
		t.Setenv(name, value)
	}
	input, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	output, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(input, map[string]any{"filename": file})
	if err != nil {
		t.Fatal(err)
	}
	for _, warning := range warnings {
		t.Errorf("%s:%d: %s", warning.File, warning.Line, warning.Message)
	}
	config := new(caddy.Config)
	if err := json.Unmarshal(output, config); err != nil {
		t.Fatal(err)
	}
	return config
}

// TestExamples: each example adapts and can be provisioned, and there is nothing
// in it that works otherwise than it was meant.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../examples/*/Caddyfile")
	if err != nil || len(files) < 19 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			config := example(t, file)
			app := new(module.App)
			if raw := config.AppsRaw[name]; raw != nil {
				if err := caddy.StrictUnmarshalJSON(raw, app); err != nil {
					t.Fatal(err)
				}
			}
			if odd := app.Warnings(); len(odd) > 0 {
				t.Error(odd)
			}
			if err := caddy.Validate(config); err != nil {
				t.Fatal(err)
			}
		})
	}
}

package harness

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"
)

// VerifyWithJose verifies an assertion as an app in JavaScript would, with npm's
// jose and the keys of the site, and returns its claims.
func VerifyWithJose(t testing.TB, issuer, audience, assertion string) (claims map[string]any, err error) {
	t.Helper()
	script := npmFile(t, "verify.mjs")
	out, err := exec.CommandContext(t.Context(), node(t, script), script, issuer, audience, assertion).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return claims, json.Unmarshal(out, &claims)
}

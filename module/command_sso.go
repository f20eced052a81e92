package module

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
)

func ssoCommand() *cobra.Command {
	return group(&cobra.Command{Use: "sso", Short: "Looks after SSO configs"},
		runs(&cobra.Command{
			Use:   "check <name>",
			Short: "Asks an identity provider what is wrong with an SSO config, before anyone signs in",
			Long: `
Asks the identity provider of an SSO config, as the gateway would, and says what
is wrong: whether it can be reached and is the configured issuer, whether its
keys can be used and its clock agrees, which scopes and which kind of PKCE it
has, whether it can be asked again as revalidate wants, whether it takes the
client's credentials, and whether it knows the redirect address of each site.
What cannot be told without signing in is said to be so.

Fails if anything is wrong.
`,
			Args: one,
		}, checkSSO),
	)
}

func checkSSO(e *errand) error {
	name := e.args[0]
	configured, err := e.configuration()
	if err != nil {
		return err
	}
	request := checkRequest{}
	for _, s := range configured.sites() {
		callback := s.origin + answer.SSO + name + "/callback"
		if s.origin != "" && !slices.Contains(request.Callbacks, callback) && len(request.Callbacks) < maxCallbacks {
			request.Callbacks = append(request.Callbacks, callback)
		}
	}
	var found []sso.Finding
	if err := e.call(http.MethodPost, "/auth-gateway/sso/"+url.PathEscape(name)+"/check", request, &found); err != nil {
		return err
	}
	err = e.print(found, func() error {
		rows := [][]string{{"CHECKED", "VERDICT", "FOUND"}}
		for _, f := range found {
			rows = append(rows, []string{f.What, string(f.Verdict), f.Says})
		}
		return e.table(rows)
	})
	if err != nil {
		return err
	}
	wrong := 0
	for _, f := range found {
		if f.Verdict == sso.Wrong {
			wrong++
		}
	}
	if wrong > 0 {
		return fmt.Errorf("sso %s: %d of %d things are wrong", name, wrong, len(found))
	}
	return nil
}

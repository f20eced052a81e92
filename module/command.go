package module

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "auth-gateway",
		Usage: "user | session | report | sso | explain",
		Short: "Manages the people who sign in through auth_gateway",
		Long: `
Adds, shows and changes the people who sign in to sites behind the auth_gateway
directive, reports on their second factors, asks identity providers what is wrong, and says which
way in an address gets.

The command asks the running Caddy through its admin endpoint, which is found as
'caddy reload' finds it: --address, or else the configuration in --config, or
else localhost:2019. Unix sockets work too.

Where no Caddy runs, --config names the configuration whose store the command
then works on itself: that is how the first administrator is made before Caddy
has ever run. Do that as the user that Caddy runs as, with the same environment.
`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.PersistentFlags().String("address", "", "Address of Caddy's admin endpoint, if not the default")
			cmd.PersistentFlags().StringP("config", "c", "", "Configuration file: for the address, and for the store where Caddy does not run")
			cmd.PersistentFlags().StringP("adapter", "a", "", "Name of the config adapter to apply to --config")
			cmd.PersistentFlags().Bool("json", false, "Print JSON")
			group(cmd, userCommand(), sessionCommand(), reportCommand(), ssoCommand(), explainCommand())
		},
	})
}

// group makes parent a command that is only there for the ones below it. What
// is none of them is an error, not a page of help.
func group(parent *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	parent.AddCommand(commands...)
	parent.RunE = func(cmd *cobra.Command, args []string) error {
		var known []string
		for _, c := range commands {
			known = append(known, c.Name())
		}
		if len(args) == 0 {
			return fmt.Errorf("%s what? Use %s", cmd.CommandPath(), strings.Join(known, ", "))
		}
		return fmt.Errorf("%s: there is no command %q%s", cmd.CommandPath(), args[0], mistake.DidYouMean(args[0], known))
	}
	return parent
}

// errand is one run of a command: who does it, and how the outcome is told.
type errand struct {
	actor
	printer
	cmd  *cobra.Command
	args []string
}

// runs makes do what a command runs.
func runs(cmd *cobra.Command, do func(e *errand) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		flags := cmd.Flags()
		text := func(name string) string { return flags.Lookup(name).Value.String() }
		who, err := reach(reachFlags{address: text("address"), config: text("config"), adapter: text("adapter")}, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		defer func() {
			if closeErr := who.close(); err == nil {
				err = closeErr
			}
		}()
		asJSON, err := flags.GetBool("json")
		if err != nil {
			return err
		}
		return do(&errand{actor: who, printer: printer{out: cmd.OutOrStdout(), json: asJSON}, cmd: cmd, args: args})
	}
	return cmd
}

// one takes one argument.
func one(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return fmt.Errorf("usage: %s", cmd.UseLine())
}

// none takes no argument.
func none(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%q does not belong there; usage: %s", args[0], cmd.UseLine())
}

// oneAccount takes what names an account.
func oneAccount(cmd *cobra.Command, args []string) error {
	if err := one(cmd, args); err != nil {
		return err
	}
	_, err := userAddress(args[0])
	return err
}

// given returns the value of a flag if it was given.
func given(cmd *cobra.Command, name string) *string {
	flag := cmd.Flags().Lookup(name)
	if !flag.Changed {
		return nil
	}
	value := flag.Value.String()
	return &value
}

// isSet reports whether a flag without a value was given.
func isSet(cmd *cobra.Command, name string) bool {
	set, _ := cmd.Flags().GetBool(name) // an error means that there is no such flag
	return set
}

func sessionCommand() *cobra.Command {
	return group(&cobra.Command{Use: "session", Short: "Shows and ends sessions"},
		runs(&cobra.Command{
			Use:   "list <email | account id>",
			Short: "Lists the sessions of an account, the newest first",
			Args:  oneAccount,
		}, listSessions),
		runs(&cobra.Command{
			Use:   "revoke <email | account id | session id>",
			Short: "Ends all sessions of an account, or one session",
			Args:  one,
		}, revokeSessions),
	)
}

func listSessions(e *errand) error {
	address, err := userAddress(e.args[0], "sessions")
	if err != nil {
		return err
	}
	var sessions []sessionView
	if err := e.call(http.MethodGet, address, nil, &sessions); err != nil {
		return err
	}
	return e.printSessions(sessions)
}

// sessionIDLength is that of a SHA-256 in hexadecimal.
const sessionIDLength = 64

func revokeSessions(e *errand) error {
	address := "/auth-gateway/sessions/" + url.PathEscape(e.args[0])
	if len(e.args[0]) != sessionIDLength || strings.Contains(e.args[0], "@") {
		var err error
		if address, err = userAddress(e.args[0], "sessions"); err != nil {
			return err
		}
	}
	var ended endedView
	if err := e.call(http.MethodDelete, address, nil, &ended); err != nil {
		return err
	}
	return e.print(ended, func() error {
		if ended.Ended == 1 {
			return e.say("1 session was ended.")
		}
		return e.say("%v sessions were ended.", ended.Ended)
	})
}

func explainCommand() *cobra.Command {
	cmd := runs(&cobra.Command{
		Use:   "explain --ip <address> [--audience <name>]",
		Short: "Says which way in a client's address gets, and why",
		Args:  none,
	}, explainWayIn)
	cmd.Flags().String("ip", "", "The client's address, as Caddy establishes it")
	cmd.Flags().String("audience", "", "The audience that is meant; otherwise all are shown")
	return cmd
}

func explainWayIn(e *errand) error {
	ip := given(e.cmd, "ip")
	if ip == nil {
		return fmt.Errorf("which address? Name it with --ip")
	}
	if _, err := netip.ParseAddr(*ip); err != nil {
		return fmt.Errorf("--ip: %q is not an IP address", *ip)
	}
	query := url.Values{"ip": {*ip}}
	if audience := given(e.cmd, "audience"); audience != nil {
		query.Set("audience", *audience)
	}
	var ways []wayInView
	if err := e.call(http.MethodGet, "/auth-gateway/explain?"+query.Encode(), nil, &ways); err != nil {
		return err
	}
	return e.printWaysIn(ways)
}

package module

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

func userCommand() *cobra.Command {
	add := runs(&cobra.Command{
		Use:   "add <email>",
		Short: "Adds an account and prints a one-time link that sets its password",
		Long: `
Adds an account and prints a one-time link with which the person sets a password.
The link can be used once, within 72 hours. Where the configuration has a mail
server it is mailed to the person, too, unless invitations are off.

With --password-stdin the account gets a password at once, the first line of the
standard input, and there is no link.
`,
		Args:    one,
		PreRunE: checkRole,
	}, addUser)
	add.Flags().String("name", "", "Full name")
	add.Flags().String("role", string(identity.EndUser), "Role: end-user, agent or admin")
	add.Flags().Bool("password-stdin", false, "Read a password from the standard input")

	set := runs(&cobra.Command{
		Use:     "set <email | id>",
		Short:   "Changes the e-mail address, name or role of an account",
		Args:    oneAccount,
		PreRunE: checkRole,
	}, setUser)
	set.Flags().String("email", "", "New e-mail address")
	set.Flags().String("name", "", "New full name")
	set.Flags().String("role", "", "New role: end-user, agent or admin")
	forceable(set)

	remove := changes(http.MethodDelete, "remove", "Removes an account and all that hangs on it", "was removed")
	remove.Flags().BoolP("yes", "y", false, "Do not ask whether it is meant")
	forceable(remove)

	suspend := changes(http.MethodPost, "suspend", "Keeps a person out and ends their sessions", "is suspended")
	forceable(suspend)

	return group(&cobra.Command{Use: "user", Short: "Adds, shows and changes accounts"},
		add,
		runs(&cobra.Command{
			Use:   "list",
			Short: "Lists all accounts by e-mail address",
			Args:  none,
		}, listUsers),
		runs(&cobra.Command{
			Use:   "show <email | id>",
			Short: "Shows an account and what hangs on it",
			Args:  oneAccount,
		}, showUser),
		set,
		suspend,
		changes(http.MethodPost, "resume", "Lets a suspended person sign in again", "can sign in again"),
		changes(http.MethodPost, "unlock", "Forgives what was guessed wrong of a password or passcode", "is unlocked"),
		remove,
		runs(&cobra.Command{
			Use:   "reset-password <email | id>",
			Short: "Prints a one-time link that sets a new password",
			Long: `
Prints a one-time link with which the person sets a new password. It can be used
once, within an hour. Until then the old password stays as it is.
`,
			Args: oneAccount,
		}, resetPassword),
		changes(http.MethodPost, "reset-second-factor", "Removes a person's second factors and recovery codes, and ends their sessions",
			"has no second factor any more, and is asked to set one up where one is required"),
	)
}

// checkRole looks at --role before anything is reached.
func checkRole(cmd *cobra.Command, _ []string) error {
	if role := given(cmd, "role"); role != nil {
		if _, err := identity.ParseRole(*role); err != nil {
			return fmt.Errorf("--role: %w", err)
		}
	}
	return nil
}

func forceable(cmd *cobra.Command) {
	cmd.Flags().Bool("force", false, "Do it even if no administrator is left then")
}

// idPattern is what the id of an account looks like.
var idPattern = regexp.MustCompile(`^[a-z2-7]{26}$`)

// userAddress is the address of an account at the admin endpoint.
func userAddress(who string, further ...string) (string, error) {
	if !strings.Contains(who, "@") && !idPattern.MatchString(who) {
		return "", fmt.Errorf("%q is neither an e-mail address nor the id of an account", who)
	}
	return "/auth-gateway/users/" + strings.Join(append([]string{url.PathEscape(who)}, further...), "/"), nil
}

func addUser(e *errand) error {
	body := newUserBody{Email: e.args[0], Role: e.cmd.Flags().Lookup("role").Value.String()}
	if name := given(e.cmd, "name"); name != nil {
		body.Name = *name
	}
	if isSet(e.cmd, "password-stdin") {
		if e.overNetwork() {
			return fmt.Errorf("--password-stdin: the password would go to another machine where anyone on the way can read it: " +
				"run the command on the machine that Caddy runs on, or through a tunnel to it")
		}
		if config := given(e.cmd, "config"); config != nil && *config == "-" {
			return fmt.Errorf("--password-stdin and --config - both read the standard input: put the configuration into a file")
		}
		password, err := readPassword(e.cmd.InOrStdin(), e.cmd.ErrOrStderr())
		if err != nil {
			return fmt.Errorf("--password-stdin: %w", err)
		}
		body.Password = &password
	}
	var issued issuedView
	if err := e.call(http.MethodPost, "/auth-gateway/users", body, &issued); err != nil {
		return err
	}
	said := fmt.Sprintf("%s was added with role %s.", issued.Email, issued.Role)
	if issued.LinkPath == "" && body.Password == nil {
		said += " No audience that is open to the role takes passwords, so there is no one-time link."
	}
	if issued.Mailed {
		said += " The link is on its way there by mail."
	}
	return e.printIssued(issued, said, e.origins(issued.Role))
}

func resetPassword(e *errand) error {
	address, err := userAddress(e.args[0], "reset-password")
	if err != nil {
		return err
	}
	var issued issuedView
	if err := e.call(http.MethodPost, address, nil, &issued); err != nil {
		return err
	}
	return e.printIssued(issued, fmt.Sprintf("%s can set a new password.", issued.Email), e.origins(issued.Role))
}

// origins are the sites that a link may be opened on. That they are not to be
// had is no reason not to print the link.
func (e *errand) origins(role identity.Role) []string {
	c, err := e.configuration()
	if err != nil {
		fmt.Fprintf(e.cmd.ErrOrStderr(), "the addresses of the sites cannot be told: %v\n", err)
		return nil
	}
	return c.origins(role)
}

func listUsers(e *errand) error {
	all := []userView{}
	for query := (url.Values{"limit": {fmt.Sprint(maxPage)}}); ; query.Set("after", all[len(all)-1].Email) {
		var page []userView
		if err := e.call(http.MethodGet, "/auth-gateway/users?"+query.Encode(), nil, &page); err != nil {
			return err
		}
		all = append(slices.Grow(all, len(page)), page...)
		if len(page) < maxPage {
			return e.printUsers(all)
		}
	}
}

func showUser(e *errand) error {
	address, err := userAddress(e.args[0])
	if err != nil {
		return err
	}
	var person personView
	if err := e.call(http.MethodGet, address, nil, &person); err != nil {
		return err
	}
	return e.printPerson(person)
}

func setUser(e *errand) error {
	address, err := userAddress(e.args[0])
	if err != nil {
		return err
	}
	body := setUserBody{Email: given(e.cmd, "email"), Name: given(e.cmd, "name"), Role: given(e.cmd, "role")}
	if body == (setUserBody{}) {
		return fmt.Errorf("there is nothing to set: give --email, --name or --role")
	}
	var user userView
	if err := e.call(http.MethodPatch, address+forced(e.cmd), body, &user); err != nil {
		return err
	}
	return e.print(user, func() error { return e.say("%s has the role %s and the name %q.", user.Email, user.Role, user.Name) })
}

// changes is a command that does one act on one account.
func changes(method, act, short, outcome string) *cobra.Command {
	return runs(&cobra.Command{
		Use:   act + " <email | id>",
		Short: short,
		Args:  oneAccount,
	}, func(e *errand) error {
		var further []string
		if method == http.MethodPost {
			further = []string{act}
		} else if err := e.confirm(); err != nil {
			return err
		}
		address, err := userAddress(e.args[0], further...)
		if err != nil {
			return err
		}
		var user userView
		if err := e.call(method, address+forced(e.cmd), nil, &user); err != nil {
			return err
		}
		return e.print(user, func() error { return e.say("%s %s.", user.Email, outcome) })
	})
}

// forced is the query of an act that may leave no administrator.
func forced(cmd *cobra.Command) string {
	if isSet(cmd, "force") {
		return "?force=true"
	}
	return ""
}

// confirm asks whether a removal is meant, at a terminal.
func (e *errand) confirm() error {
	if isSet(e.cmd, "yes") || !isTerminal(e.cmd.InOrStdin()) {
		return nil
	}
	fmt.Fprintf(e.cmd.ErrOrStderr(), "Remove %s for good? [y/N] ", e.args[0])
	line, err := readLine(e.cmd.InOrStdin())
	if err != nil {
		return err
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return fmt.Errorf("%s was not removed", e.args[0])
	}
	return nil
}

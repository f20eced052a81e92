package module

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// printer tells the outcome of a command: JSON for programs, words and tables
// for people.
type printer struct {
	out  io.Writer
	json bool
}

// print prints value as JSON, or else runs words.
func (p printer) print(value any, words func() error) error {
	if !p.json {
		return words()
	}
	encoder := json.NewEncoder(p.out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// say prints a line. Values come from people and providers, and must not steer
// the terminal.
func (p printer) say(format string, args ...any) error {
	for i, arg := range args {
		args[i] = harmless(fmt.Sprint(arg))
	}
	_, err := fmt.Fprintf(p.out, format+"\n", args...)
	return err
}

// table prints rows of cells in columns.
func (p printer) table(rows [][]string) error {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = harmless(cell)
			if cell == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

// linkedView is an account with a one-time link, as --json prints it.
type linkedView struct {
	userView
	// Link is the whole address if the site's can be told, otherwise path
	// and query.
	Link          string    `json:"link,omitempty"`
	LinkExpiresAt time.Time `json:"link_expires_at,omitzero"`
	// Sites are the ones that a link without a site may be opened on, as
	// far as they are known.
	Sites []string `json:"sites,omitempty"`
}

// printIssued prints what was done, and the one-time link if there is one.
// origins are the sites that it may be opened on.
func (p printer) printIssued(issued issuedView, done string, origins []string) error {
	view := linkedView{userView: issued.userView, Link: issued.LinkPath, LinkExpiresAt: issued.LinkExpiresAt}
	switch {
	case view.Link == "":
	case len(origins) == 1:
		view.Link = origins[0] + view.Link
	default:
		view.Sites = origins
	}
	return p.print(view, func() error {
		if err := p.say("%s", done); err != nil || view.Link == "" {
			return err
		}
		err := p.say("\nOne-time link to set a password, until %s:\n\n  %s", moment(view.LinkExpiresAt), view.Link)
		switch {
		case err != nil:
			return err
		case len(origins) == 0:
			return p.say("\nIt is opened on a protected site: put the site's address, such as https://app.example.com, in front.")
		case len(origins) > 1:
			return p.say("\nIt is opened on any of the protected sites: put the address in front, one of %s.", strings.Join(origins, ", "))
		}
		return nil
	})
}

func (p printer) printUsers(users []userView) error {
	return p.print(users, func() error {
		if len(users) == 0 {
			return p.say("There are no accounts. `caddy auth-gateway user add` adds one.")
		}
		rows := [][]string{{"EMAIL", "NAME", "ROLE", "STATUS", "CREATED", "LAST SIGN-IN", "ID"}}
		for _, u := range users {
			rows = append(rows, []string{u.Email, u.Name, string(u.Role), status(u), moment(u.CreatedAt), moment(u.LastSignIn), u.ID})
		}
		return p.table(rows)
	})
}

func (p printer) printPerson(u personView) error {
	return p.print(u, func() error {
		rows := [][]string{
			{"Id", u.ID}, {"E-mail", u.Email}, {"Name", u.Name}, {"Role", string(u.Role)},
		}
		for _, name := range []string{"groups", "organizations", "organization_ids", "tags", "phone", "locale", "picture", "external_id", "custom_role_id"} {
			if values := u.Values(name); len(values) > 0 {
				rows = append(rows, []string{strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "_", " "), strings.Join(values, ", ")})
			}
		}
		for key, value := range sorted(u.Fields) {
			rows = append(rows, []string{"Field " + key, value})
		}
		rows = append(rows,
			[]string{"Status", status(u.userView)},
			[]string{"Created", moment(u.CreatedAt)},
			[]string{"Last sign-in", moment(u.LastSignIn)},
			[]string{"Password", yesNo(u.HasPassword)},
		)
		if len(u.SecondFactors) == 0 {
			rows = append(rows, []string{"Second factor", "none"})
		}
		for _, f := range u.SecondFactors {
			why := "by choice"
			if f.Required {
				why = "required"
			}
			rows = append(rows, []string{"Second factor", fmt.Sprintf("%s, %s, since %s, last used %s", f.Method, why, moment(f.CreatedAt), moment(f.UsedAt))})
		}
		rows = append(rows,
			[]string{"Recovery codes left", fmt.Sprint(u.RecoveryCodesLeft)},
			[]string{"Sessions", fmt.Sprint(u.Sessions)},
		)
		for _, l := range u.SSOLinks {
			who := l.Subject
			if l.Email != "" {
				who += " (" + l.Email + ")"
			}
			rows = append(rows, []string{"SSO link", fmt.Sprintf("%s: %s at %s, last used %s", l.SSO, who, l.Issuer, moment(l.UsedAt))})
		}
		rows = append(rows, heldRow("Passwords", u.PasswordHeld)...)
		rows = append(rows, heldRow("Passcodes", u.PasscodeHeld)...)
		return p.table(rows)
	})
}

// heldRow says how long guesses have to wait, if they do.
func heldRow(what string, held *heldView) [][]string {
	switch {
	case held == nil:
		return nil
	case held.UntilUnlock:
		return [][]string{{what, "held until `caddy auth-gateway user unlock`"}}
	}
	return [][]string{{what, "held until " + moment(held.Until)}}
}

func (p printer) printSessions(sessions []sessionView) error {
	return p.print(sessions, func() error {
		if len(sessions) == 0 {
			return p.say("There are no sessions.")
		}
		rows := [][]string{{"SIGNED IN", "WITH", "AUDIENCE", "LAST SEEN", "ENDS", "ADDRESS", "BROWSER", "ID"}}
		for _, s := range sessions {
			with := "password"
			switch {
			case s.SSO != "":
				with = "sso " + s.SSO
			case !s.SecondFactorAt.IsZero():
				with += " and passcode"
			}
			rows = append(rows, []string{moment(s.SignedInAt), with, s.Audience, moment(s.SeenAt), moment(s.ExpiresAt), s.Address, s.Browser, s.ID})
		}
		return p.table(rows)
	})
}

func (p printer) printWaysIn(ways []wayInView) error {
	return p.print(ways, func() error {
		rows := [][]string{{"AUDIENCE", "WAY IN", "WHY"}}
		for _, w := range ways {
			way := "sign-in page"
			switch {
			case w.Refused:
				way = "none"
			case w.SSO != "":
				way = "straight to " + w.SSO
			}
			rows = append(rows, []string{w.Audience, way, w.Reason})
		}
		return p.table(rows)
	})
}

func status(u userView) string {
	if u.Suspended {
		return "suspended"
	}
	return "active"
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// moment is a time as people read it, in their own time zone.
func moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format("2006-01-02 15:04 MST")
}

// harmless takes out what would steer a terminal.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

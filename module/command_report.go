package module

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

func reportCommand() *cobra.Command {
	secondFactor := runs(&cobra.Command{
		Use:   "second-factor [--csv | --json | --mail] [--role <role>]...",
		Short: "Reports who has which second factor, by e-mail address",
		Long: `
Reports which second factor everybody has with role agent or admin, or with the
roles that are named: the methods, the preferred one first, or none; whether it
was set up by choice or because an audience required it; since when; when it was
last used; and when the person last signed in.

With --csv it is CSV in UTF-8, in which no name or address can be taken for a
formula by a spreadsheet. Should the report break off, an error says so and the
exit status is not 0: what was printed until then is not all.

With --mail every administrator is mailed a link to the report instead. It works
for 24 hours, and only for somebody who is signed in as an administrator.
`,
		Args:    none,
		PreRunE: checkReport,
	}, reportSecondFactors)
	secondFactor.Flags().Bool("csv", false, "Print CSV")
	secondFactor.Flags().Bool("mail", false, "Mail administrators a link instead")
	secondFactor.Flags().StringArray("role", nil, "Role to report on: end-user, agent or admin; may be given several times (default agent and admin)")
	return group(&cobra.Command{Use: "report", Short: "Reports on accounts"}, secondFactor)
}

// checkReport looks at the flags before anything is reached.
func checkReport(cmd *cobra.Command, _ []string) error {
	if isSet(cmd, "csv") && (isSet(cmd, "json") || isSet(cmd, "mail")) {
		return errors.New("--csv goes neither with --json nor with --mail: leave out one of them")
	}
	if _, err := reportedRoles(cmd); err != nil {
		return fmt.Errorf("--role: %w", err)
	}
	return nil
}

// reportedRoles are the roles that the report is about.
func reportedRoles(cmd *cobra.Command) ([]identity.Role, error) {
	names, err := cmd.Flags().GetStringArray("role")
	if err != nil {
		return nil, err
	}
	return account.ReportRoles(names...)
}

func reportSecondFactors(e *errand) error {
	roles, err := reportedRoles(e.cmd)
	if err != nil {
		return err
	}
	query := make(url.Values)
	for _, role := range roles {
		query.Add("role", string(role))
	}
	if isSet(e.cmd, "mail") {
		return e.mailReport(query)
	}
	out := bufio.NewWriter(e.out)
	report, err := e.report(out, roles)
	if err != nil {
		return err
	}
	err = e.stream("/auth-gateway/reports/second-factor?"+query.Encode(), func(answer io.Reader) error {
		return readStream(answer, func(page []account.FactorStatus) error {
			if err := report.Write(page); err != nil {
				return err
			}
			return out.Flush()
		})
	})
	if err != nil {
		return err
	}
	if whole, ok := report.(interface{ end() error }); ok {
		if err := whole.end(); err != nil {
			return err
		}
	}
	return out.Flush()
}

// readStream hands each part of a stream on, and is an error unless all came.
func readStream[T any](answer io.Reader, each func(T) error) error {
	decoder := json.NewDecoder(answer)
	for {
		var line streamLine[T]
		err := decoder.Decode(&line)
		switch {
		case errors.Is(err, io.EOF):
			err = io.ErrUnexpectedEOF
		case line.Error != "":
			err = errors.New(line.Error)
		}
		if err != nil {
			return fmt.Errorf("the answer broke off, what came is not all: %w", err)
		}
		if line.End {
			return nil
		}
		if err := each(line.Part); err != nil {
			return err
		}
	}
}

// reportWriter prints a report, a page at a time. One with an end is whole only
// with that.
type reportWriter interface {
	Write(page []account.FactorStatus) error
}

// report returns what prints the report in the form that was asked for. It
// prints nothing before the first page.
func (e *errand) report(out io.Writer, roles []identity.Role) (reportWriter, error) {
	if isSet(e.cmd, "csv") {
		return account.NewReportCSV(out)
	}
	if e.json {
		return &jsonReport{out: out}, nil
	}
	return &tableReport{printer: printer{out: out}, roles: roles}, nil
}

// jsonReport prints an array, as printer does, without ever having all of it.
type jsonReport struct {
	out   io.Writer
	count int
}

// Write implements reportWriter.
func (j *jsonReport) Write(page []account.FactorStatus) error {
	for _, status := range page {
		before := ",\n  "
		if j.count++; j.count == 1 {
			before = "[\n  "
		}
		var item bytes.Buffer
		encoder := json.NewEncoder(&item)
		encoder.SetIndent("  ", "  ")
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(status); err != nil {
			return err
		}
		if _, err := io.WriteString(j.out, before+strings.TrimSuffix(item.String(), "\n")); err != nil {
			return err
		}
	}
	return nil
}

func (j *jsonReport) end() error {
	after := "\n]\n"
	if j.count == 0 {
		after = "[]\n"
	}
	_, err := io.WriteString(j.out, after)
	return err
}

// tableReport prints a table for each page, since columns are as wide as what is
// in them.
type tableReport struct {
	printer
	roles         []identity.Role
	count, lacked int
}

// Write implements reportWriter.
func (t *tableReport) Write(page []account.FactorStatus) error {
	if len(page) == 0 {
		return nil
	}
	if t.count > 0 {
		if err := t.say(""); err != nil {
			return err
		}
	}
	rows := [][]string{{"NAME", "EMAIL", "ROLE", "METHOD", "SET UP BY", "SINCE", "LAST USED", "LAST SIGN-IN", "PASSWORD", "CODES LEFT", "STATUS"}}
	for _, s := range page {
		t.count++
		since, used := "", ""
		if len(s.Methods) == 0 {
			t.lacked++
		} else {
			since, used = moment(s.Since), moment(s.LastUsed)
		}
		rows = append(rows, []string{
			s.Name, s.Email, string(s.Role), s.MethodText(), s.SetUpBy, since, used, moment(s.LastSignIn),
			yesNo(s.HasPassword), fmt.Sprint(s.RecoveryCodesLeft), status(userView{Suspended: s.Suspended}),
		})
	}
	return t.table(rows)
}

func (t *tableReport) end() error {
	names := account.RoleNames(t.roles)
	if t.count == 0 {
		return t.say("There are no accounts with role %s.", names)
	}
	return t.say("\nAccounts with role %s: %v. Without a second factor: %v.", names, t.count, t.lacked)
}

// mailReport has administrators mailed a link.
func (e *errand) mailReport(query url.Values) error {
	if _, own := e.actor.(*ownStore); own {
		return errors.New("--mail: there is no Caddy running that the link could lead to: start it, or print the report without --mail")
	}
	var mailed mailedView
	if err := e.call(http.MethodPost, "/auth-gateway/reports/second-factor/mail?"+query.Encode(), nil, &mailed); err != nil {
		return err
	}
	return e.print(mailed, func() error {
		return e.say("A link to the report is on its way by mail to %s. It works until %s for administrators who are signed in at %s.",
			strings.Join(mailed.Mailed, ", "), moment(mailed.ExpiresAt), mailed.Site)
	})
}

// Interface guards.
var (
	_ reportWriter = (*account.ReportCSV)(nil)
	_ reportWriter = (*jsonReport)(nil)
	_ reportWriter = (*tableReport)(nil)
)

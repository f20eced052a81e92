package console

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// LinkLifetime is how long a link to a report works.
const LinkLifetime = 24 * time.Hour

// secondFactorLink is what a link to the report on second factors is sealed
// for: one to something else does not open it.
const secondFactorLink = "second-factor"

// byteOrderMark tells Excel that a file is UTF-8. Without it names that are not
// ASCII are garbled there.
const byteOrderMark = "\ufeff"

// SecondFactorLink returns path and query of a link to the report on second
// factors of those roles. It says what is asked for, not who may: that is
// decided when it is opened.
func (c *Console) SecondFactorLink(roles []identity.Role) (link string, expires time.Time, err error) {
	now := c.Clock()
	token, err := c.links.Encode(secondFactorLink, []byte(account.RoleNames(roles)), now)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sealing a link to a report: %w", err)
	}
	return answer.SecondFactorReport + "?token=" + url.QueryEscape(token), now.Add(LinkLifetime), nil
}

// readLink returns the roles that a link asks for.
func (c *Console) readLink(token string) ([]identity.Role, error) {
	names, err := c.links.Decode(secondFactorLink, token, c.Clock())
	if err != nil {
		return nil, fmt.Errorf("the token of a link to a report: %w", err)
	}
	return account.ReportRoles(strings.Split(string(names), ", ")...)
}

// secondFactors answers with the report on second factors, as CSV. It is sent
// while it is read.
func (c *Console) secondFactors(w http.ResponseWriter, r *http.Request, visit policy.Visit, live *session.Live) {
	roles, err := c.readLink(r.URL.Query().Get("token"))
	if err != nil {
		c.Answers.Refuse(w, r, visit, answer.Refusal{Kind: pages.ReportExpired, Cause: err})
		return
	}
	event := store.Event{
		Action: "report.read", Outcome: audit.Success, AccountID: live.Account.ID, How: "link", Detail: account.ReportTitle(roles),
	}
	if visit.Client.IsValid() {
		event.Address = visit.Client.String()
	}
	err = c.Store.Update(r.Context(), func(tx store.Tx) error { return c.Trail.Within(tx, event) })
	if err != nil {
		c.Answers.Refuse(w, r, visit, answer.Refusal{Kind: pages.StoreUnavailable, Cause: err})
		return
	}
	c.Trail.Announce(event)

	var report *account.ReportCSV
	err = c.People.ReportSecondFactors(r.Context(), roles, func(page []account.FactorStatus) (err error) {
		if report == nil {
			if report, err = c.beginReport(w); err != nil {
				return err
			}
		}
		return report.Write(page)
	})
	switch {
	case err == nil:
	case report == nil:
		c.Answers.Refuse(w, r, visit, answer.Refusal{Kind: pages.StoreUnavailable, Cause: err})
	default:
		if r.Context().Err() == nil { // otherwise the browser has gone, which is nobody's fault
			c.Answers.Log.Error("a report broke off", zap.String("account", live.Account.ID), zap.Error(err))
		}
		// Ending here would pass for a whole report: the browser must see
		// that the connection broke.
		panic(http.ErrAbortHandler)
	}
}

func (c *Console) beginReport(w http.ResponseWriter) (*account.ReportCSV, error) {
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="second-factors-`+c.Clock().UTC().Format(time.DateOnly)+`.csv"`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if _, err := io.WriteString(w, byteOrderMark); err != nil {
		return nil, err
	}
	return account.NewReportCSV(w)
}

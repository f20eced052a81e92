package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

// AccountFactors is an account with how it is protected. It holds no secrets.
type AccountFactors struct {
	Account
	HasPassword   bool
	Factors       []Factor // without their secrets and steps; oldest first
	RecoveryCodes int      // left
}

// ReportRows reads what reports tell.
type ReportRows interface {
	// AccountFactors lists accounts with one of the roles by e-mail address,
	// those after the given address.
	AccountFactors(roles []identity.Role, afterEmail string, limit int) ([]AccountFactors, error)
}

const (
	// Each role is looked up on its own, which its index has in the order of
	// the addresses: nobody is read who is not asked for, however many there
	// are. A role that is not asked for is '', which no account has.
	selectAccountsOfRole = `SELECT * FROM (
			SELECT id, email_key, attributes, suspended, epoch, created_at, updated_at, last_sign_in_at
			FROM accounts WHERE role = %s AND email_key > $1 ORDER BY email_key LIMIT $5) AS %s`

	selectFactorsOf = `SELECT accounts.id, accounts.attributes, accounts.suspended, accounts.epoch,
			accounts.created_at, accounts.updated_at, accounts.last_sign_in_at,
			EXISTS (SELECT 1 FROM passwords WHERE passwords.account_id = accounts.id),
			(SELECT COUNT(*) FROM recovery_codes
				WHERE recovery_codes.account_id = accounts.id AND recovery_codes.spent_at = 0),
			COALESCE(factors.id, ''), COALESCE(factors.method, ''), COALESCE(factors.address, ''),
			COALESCE(factors.required, FALSE), COALESCE(factors.preferred, FALSE),
			COALESCE(factors.created_at, 0), COALESCE(factors.used_at, 0)
		FROM (SELECT * FROM (%s) AS all_roles ORDER BY email_key LIMIT $5) AS accounts
		LEFT JOIN factors ON factors.account_id = accounts.id
		ORDER BY accounts.email_key, factors.created_at, factors.id`
)

var selectAccountFactors = fmt.Sprintf(selectFactorsOf, strings.Join([]string{
	fmt.Sprintf(selectAccountsOfRole, "$2", "end_users"),
	fmt.Sprintf(selectAccountsOfRole, "$3", "agents"),
	fmt.Sprintf(selectAccountsOfRole, "$4", "admins"),
}, " UNION ALL "))

// AccountFactors implements ReportRows.
func (t *tx) AccountFactors(roles []identity.Role, afterEmail string, limit int) ([]AccountFactors, error) {
	args := []any{identity.EmailKey(afterEmail)}
	for _, role := range []identity.Role{identity.EndUser, identity.Agent, identity.Admin} {
		if !slices.Contains(roles, role) {
			role = ""
		}
		args = append(args, string(role))
	}
	rows, err := list(t, "reading how accounts are protected", scanAccountFactors, selectAccountFactors, append(args, limit)...)
	if err != nil {
		return nil, err
	}
	// There is a row for each second factor, those of an account together.
	found := rows[:0]
	for _, row := range rows {
		if last := len(found) - 1; last >= 0 && found[last].ID == row.ID {
			found[last].Factors = append(found[last].Factors, row.Factors...)
			continue
		}
		found = append(found, row)
	}
	return found, nil
}

// scanAccountFactors reads an account with one of its second factors, or none.
func scanAccountFactors(row scanner) (a AccountFactors, err error) {
	var f Factor
	a.Account, err = scanAccount(scanBeyond{row, []any{
		&a.HasPassword, &a.RecoveryCodes,
		&f.ID, &f.Method, &f.Address, &f.Required, &f.Preferred, at(&f.CreatedAt), at(&f.UsedAt),
	}})
	if f.ID != "" {
		f.AccountID = a.ID
		a.Factors = []Factor{f}
	}
	return a, err
}

// scanBeyond is a row with more columns than what reads the first of them knows.
type scanBeyond struct {
	scanner
	beyond []any
}

// Scan implements scanner.
func (s scanBeyond) Scan(dest ...any) error { return s.scanner.Scan(append(dest, s.beyond...)...) }

// Interface guards.
var _ scanner = scanBeyond{}

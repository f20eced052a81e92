package store

import "fmt"

const (
	saveSSOLink = `INSERT INTO sso_links (issuer, subject, account_id, sso, email, added, created_at, used_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (issuer, subject) DO UPDATE SET sso = excluded.sso, email = excluded.email, used_at = excluded.used_at
		WHERE sso_links.account_id = excluded.account_id`
	selectSSOLinks = `SELECT issuer, subject, account_id, sso, email, added, created_at, used_at FROM sso_links
		WHERE account_id = $1 ORDER BY created_at, issuer, subject`
	deleteSSOLink = `DELETE FROM sso_links WHERE account_id = $1 AND issuer = $2 AND subject = $3`
)

// SaveSSOLink implements AccountRows.
func (t *tx) SaveSSOLink(l SSOLink) error {
	const doing = "linking an identity of a provider"
	n, err := t.exec(doing, saveSSOLink, l.Issuer, l.Subject, l.AccountID, l.SSO, l.Email, l.Added, stamp(l.CreatedAt), stamp(l.UsedAt))
	switch {
	case err != nil:
		return err
	case n == 0:
		return fmt.Errorf("%s: %w", doing, ErrLinkTaken)
	}
	t.changes.account(l.AccountID)
	return nil
}

// SSOLinks implements AccountRows.
func (t *tx) SSOLinks(accountID string) ([]SSOLink, error) {
	scan := func(row scanner) (l SSOLink, err error) {
		err = row.Scan(&l.Issuer, &l.Subject, &l.AccountID, &l.SSO, &l.Email, &l.Added, at(&l.CreatedAt), at(&l.UsedAt))
		return l, err
	}
	return list(t, "listing identities of an account", scan, selectSSOLinks, accountID)
}

// DeleteSSOLink implements AccountRows.
func (t *tx) DeleteSSOLink(accountID, issuer, subject string) error {
	err := t.touched("removing an identity of an account", deleteSSOLink, accountID, issuer, subject)
	if err == nil {
		t.changes.account(accountID)
	}
	return err
}

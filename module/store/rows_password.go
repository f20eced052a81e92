package store

const (
	selectPassword = `SELECT account_id, hash, set_at FROM passwords WHERE account_id = $1`
	savePassword   = `INSERT INTO passwords (account_id, hash, set_at) VALUES ($1, $2, $3)
		ON CONFLICT (account_id) DO UPDATE SET hash = excluded.hash, set_at = excluded.set_at`
)

// Password implements PasswordRows.
func (t *tx) Password(accountID string) (Password, error) {
	var p Password
	err := t.one("reading a password", selectPassword, []any{accountID}, &p.AccountID, &p.Hash, at(&p.SetAt))
	return p, err
}

// SavePassword implements PasswordRows.
func (t *tx) SavePassword(p Password) error {
	if _, err := t.exec("saving a password", savePassword, p.AccountID, p.Hash, stamp(p.SetAt)); err != nil {
		return err
	}
	t.changes.account(p.AccountID)
	return nil
}

package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

const (
	accountColumns = `accounts.id, accounts.attributes, accounts.suspended, accounts.epoch,
		accounts.created_at, accounts.updated_at, accounts.last_sign_in_at`

	selectAccount        = `SELECT ` + accountColumns + ` FROM accounts WHERE id = $1`
	selectAccountByEmail = `SELECT ` + accountColumns + ` FROM accounts WHERE email_key = $1`
	selectAccountBySSO   = `SELECT ` + accountColumns + ` FROM accounts
		JOIN sso_links ON sso_links.account_id = accounts.id
		WHERE sso_links.issuer = $1 AND sso_links.subject = $2`
	selectAccounts = `SELECT ` + accountColumns + ` FROM accounts
		WHERE email_key > $1 ORDER BY email_key LIMIT $2`
	countAdministrators = `SELECT COUNT(*) FROM accounts WHERE role = $1 AND suspended = FALSE`

	countRemoved  = `SELECT COUNT(*) FROM removed_accounts WHERE id = $1`
	insertAccount = `INSERT INTO accounts (id, email_key, role, attributes, suspended, epoch,
		created_at, updated_at, last_sign_in_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (email_key) DO NOTHING`
	saveAttributes = `UPDATE accounts SET email_key = $1, role = $2, attributes = $3, updated_at = $4
		WHERE id = $5 AND NOT EXISTS (SELECT 1 FROM accounts WHERE email_key = $1 AND id <> $5)`
	setSuspended  = `UPDATE accounts SET suspended = $1, updated_at = $2 WHERE id = $3`
	moveEpoch     = `UPDATE accounts SET epoch = epoch + 1, updated_at = $1 WHERE id = $2 RETURNING epoch`
	recordSignIn  = `UPDATE accounts SET last_sign_in_at = $1 WHERE id = $2`
	deleteAccount = `DELETE FROM accounts WHERE id = $1` // and what refers to it
	insertRemoved = `INSERT INTO removed_accounts (id) VALUES ($1)`

	endFlows    = `DELETE FROM flows WHERE account_id = $1`
	endLinks    = `DELETE FROM one_time_links WHERE account_id = $1`
	keepSession = `UPDATE sessions SET epoch = $1
		WHERE family IN (SELECT family FROM sessions WHERE id = $2 AND account_id = $3 AND epoch = $4)
		AND account_id = $3 AND epoch = $4`
	endOtherEpochs = `DELETE FROM sessions WHERE account_id = $1 AND epoch <> $2`
)

// CreateAccount implements AccountRows.
func (t *tx) CreateAccount(a Account) error {
	const doing = "creating an account"
	if err := t.mayWrite(doing); err != nil {
		return err
	}
	key, attributes, err := attributeColumns(a.Attributes)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if a.ID == "" {
		return fmt.Errorf("%s: it has no id: use NewID", doing)
	}
	var removed int
	if err := t.one(doing, countRemoved, []any{a.ID}, &removed); err != nil {
		return err
	}
	if removed > 0 {
		return fmt.Errorf("%s: the id %s was another account's, since removed: use NewID", doing, a.ID)
	}
	n, err := t.exec(doing, insertAccount, a.ID, key, string(a.Attributes.Role), attributes, a.Suspended, a.Epoch,
		stamp(a.CreatedAt), stamp(a.UpdatedAt), stamp(a.LastSignIn))
	switch {
	case err != nil:
		return err
	case n == 0:
		return fmt.Errorf("%s: %w", doing, ErrEmailTaken)
	}
	t.changes.account(a.ID)
	return nil
}

// Account implements AccountRows.
func (t *tx) Account(id string) (Account, error) {
	return t.account("reading an account", selectAccount, id)
}

// AccountByEmail implements AccountRows.
func (t *tx) AccountByEmail(email string) (Account, error) {
	return t.account("reading an account by e-mail address", selectAccountByEmail, identity.EmailKey(email))
}

// AccountBySSO implements AccountRows.
func (t *tx) AccountBySSO(issuer, subject string) (Account, error) {
	return t.account("reading an account by its identity at a provider", selectAccountBySSO, issuer, subject)
}

func (t *tx) account(doing, query string, args ...any) (Account, error) {
	found, err := list(t, doing, scanAccount, query, args...)
	switch {
	case err != nil:
		return Account{}, err
	case len(found) == 0:
		return Account{}, fmt.Errorf("%s: %w", doing, ErrNotFound)
	}
	return found[0], nil
}

// Accounts implements AccountRows.
func (t *tx) Accounts(afterEmail string, limit int) ([]Account, error) {
	return list(t, "listing accounts", scanAccount, selectAccounts, identity.EmailKey(afterEmail), limit)
}

// SaveAttributes implements AccountRows.
func (t *tx) SaveAttributes(id string, attributes identity.Attributes, now time.Time) error {
	const doing = "saving attributes"
	key, text, err := attributeColumns(attributes)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	n, err := t.exec(doing, saveAttributes, key, string(attributes.Role), text, stamp(now), id)
	if err != nil {
		return err
	}
	if n == 0 {
		if _, err := t.Account(id); err != nil {
			return err
		}
		return fmt.Errorf("%s: %w", doing, ErrEmailTaken)
	}
	t.changes.account(id)
	return nil
}

// SetSuspended implements AccountRows.
func (t *tx) SetSuspended(id string, suspended bool, now time.Time) error {
	const doing = "suspending or resuming an account"
	if err := t.touched(doing, setSuspended, suspended, stamp(now), id); err != nil {
		return err
	}
	t.changes.account(id)
	if suspended {
		return t.MoveEpoch(id, nil, now)
	}
	return nil
}

// MoveEpoch implements AccountRows.
func (t *tx) MoveEpoch(id string, keep []byte, now time.Time) error {
	const doing = "moving the security epoch"
	if err := t.mayWrite(doing); err != nil {
		return err
	}
	var epoch int64
	if err := t.one(doing, moveEpoch, []any{stamp(now), id}, &epoch); err != nil {
		return err
	}
	t.changes.account(id)
	if len(keep) > 0 {
		// Only one of the epoch that ends moves along: a session that was
		// dead already does not come back to life.
		if _, err := t.exec(doing, keepSession, epoch, keep, id, epoch-1); err != nil {
			return err
		}
	}
	if _, err := t.exec(doing, endOtherEpochs, id, epoch); err != nil {
		return err
	}
	if _, err := t.exec(doing, endFlows, id); err != nil {
		return err
	}
	if _, err := t.exec(doing, forgetDevices, id); err != nil {
		return err
	}
	_, err := t.exec(doing, endLinks, id)
	return err
}

// RemoveAccount implements AccountRows.
func (t *tx) RemoveAccount(id string) error {
	const doing = "removing an account"
	if err := t.touched(doing, deleteAccount, id); err != nil {
		return err
	}
	t.changes.account(id)
	_, err := t.exec(doing, insertRemoved, id)
	return err
}

// RecordSignIn implements AccountRows. It tells nobody: no session depends
// on it.
func (t *tx) RecordSignIn(id string, now time.Time) error {
	return t.touched("recording a sign-in", recordSignIn, stamp(now), id)
}

// Administrators implements AccountRows.
func (t *tx) Administrators() (int, error) {
	var n int
	err := t.one("counting administrators", countAdministrators, []any{string(identity.Admin)}, &n)
	return n, err
}

// touched runs a statement on one row. ErrNotFound if there is none.
func (t *tx) touched(doing, query string, args ...any) error {
	n, err := t.exec(doing, query, args...)
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %w", doing, ErrNotFound)
	}
	return err
}

func scanAccount(row scanner) (a Account, err error) {
	var attributes []byte
	err = row.Scan(&a.ID, &attributes, &a.Suspended, &a.Epoch, at(&a.CreatedAt), at(&a.UpdatedAt), at(&a.LastSignIn))
	if err != nil {
		return Account{}, err
	}
	if err := json.Unmarshal(attributes, &a.Attributes); err != nil {
		return Account{}, fmt.Errorf("attributes of account %s: %w", a.ID, err)
	}
	return a, nil
}

// attributeColumns returns what is stored of attributes, and refuses those
// that an account cannot have.
func attributeColumns(a identity.Attributes) (emailKey, text string, err error) {
	emailKey = identity.EmailKey(a.Email)
	if emailKey == "" {
		return "", "", errors.New("an account needs an e-mail address")
	}
	if _, err := identity.ParseRole(string(a.Role)); err != nil {
		return "", "", err
	}
	b, err := json.Marshal(a)
	return emailKey, string(b), err
}

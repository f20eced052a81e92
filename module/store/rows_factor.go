package store

import "time"

const (
	selectFactors = `SELECT id, account_id, method, secret, address, required, preferred, step, created_at, used_at
		FROM factors WHERE account_id = $1 ORDER BY created_at, id`
	insertFactor = `INSERT INTO factors (id, account_id, method, secret, address, required, preferred, step,
		created_at, used_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	deleteFactors = `DELETE FROM factors WHERE account_id = $1`
	deleteFactor  = `DELETE FROM factors WHERE account_id = $1 AND id = $2`
	preferFactor  = `UPDATE factors SET preferred = (id = $2) WHERE account_id = $1 AND EXISTS
		(SELECT 1 FROM factors WHERE account_id = $1 AND id = $2)`
	chooseFactors = `UPDATE factors SET required = $1 WHERE account_id = $2`
	useFactor     = `UPDATE factors SET used_at = $1 WHERE id = $2`
	useStep       = `UPDATE factors SET step = $1, used_at = $2 WHERE id = $3 AND step < $1`

	deleteRecoveryCodes = `DELETE FROM recovery_codes WHERE account_id = $1`
	insertRecoveryCode  = `INSERT INTO recovery_codes (account_id, hash, created_at, spent_at) VALUES ($1, $2, $3, 0)`
	spendRecoveryCode   = `UPDATE recovery_codes SET spent_at = $1 WHERE account_id = $2 AND hash = $3 AND spent_at = 0`
	countRecoveryCodes  = `SELECT COUNT(*) FROM recovery_codes WHERE account_id = $1 AND spent_at = 0`
)

// Factors implements FactorRows. Oldest first.
func (t *tx) Factors(accountID string) ([]Factor, error) {
	scan := func(row scanner) (f Factor, err error) {
		err = row.Scan(&f.ID, &f.AccountID, &f.Method, &f.Secret, &f.Address, &f.Required, &f.Preferred, &f.Step,
			at(&f.CreatedAt), at(&f.UsedAt))
		return f, err
	}
	return list(t, "reading second factors", scan, selectFactors, accountID)
}

// CreateFactor implements FactorRows.
func (t *tx) CreateFactor(f Factor) error {
	if _, err := t.exec("creating a second factor", insertFactor, f.ID, f.AccountID, string(f.Method), blob(f.Secret),
		f.Address, f.Required, f.Preferred, f.Step, stamp(f.CreatedAt), stamp(f.UsedAt)); err != nil {
		return err
	}
	t.changes.account(f.AccountID)
	return nil
}

// DeleteFactors implements FactorRows.
func (t *tx) DeleteFactors(accountID string) error {
	const doing = "deleting second factors"
	if _, err := t.exec(doing, deleteFactors, accountID); err != nil {
		return err
	}
	if _, err := t.exec(doing, deleteRecoveryCodes, accountID); err != nil {
		return err
	}
	t.changes.account(accountID)
	return nil
}

// DeleteFactor implements FactorRows.
func (t *tx) DeleteFactor(accountID, id string) error {
	if err := t.touched("deleting a second factor", deleteFactor, accountID, id); err != nil {
		return err
	}
	t.changes.account(accountID)
	return nil
}

// PreferFactor implements FactorRows.
func (t *tx) PreferFactor(accountID, id string) error {
	return t.touched("preferring a second factor", preferFactor, accountID, id)
}

// ChooseFactors implements FactorRows.
func (t *tx) ChooseFactors(accountID string) error {
	if _, err := t.exec("marking second factors as chosen", chooseFactors, false, accountID); err != nil {
		return err
	}
	t.changes.account(accountID)
	return nil
}

// UseFactor implements FactorRows.
func (t *tx) UseFactor(id string, now time.Time) error {
	_, err := t.exec("recording the use of a second factor", useFactor, stamp(now), id)
	return err
}

// UseStep implements FactorRows.
func (t *tx) UseStep(factorID string, step int64, now time.Time) (bool, error) {
	n, err := t.exec("using up a time step", useStep, step, stamp(now), factorID)
	return n == 1, err
}

// ReplaceRecoveryCodes implements FactorRows.
func (t *tx) ReplaceRecoveryCodes(accountID string, hashes [][]byte, now time.Time) error {
	const doing = "replacing recovery codes"
	if _, err := t.exec(doing, deleteRecoveryCodes, accountID); err != nil {
		return err
	}
	for _, hash := range hashes {
		if _, err := t.exec(doing, insertRecoveryCode, accountID, hash, stamp(now)); err != nil {
			return err
		}
	}
	return nil
}

// SpendRecoveryCode implements FactorRows.
func (t *tx) SpendRecoveryCode(accountID string, hash []byte, now time.Time) (bool, error) {
	n, err := t.exec("spending a recovery code", spendRecoveryCode, max(1, stamp(now)), accountID, hash)
	return n == 1, err
}

// RecoveryCodesLeft implements FactorRows.
func (t *tx) RecoveryCodesLeft(accountID string) (int, error) {
	var n int
	err := t.one("counting recovery codes", countRecoveryCodes, []any{accountID}, &n)
	return n, err
}

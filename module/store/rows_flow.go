package store

import "time"

const (
	selectFlow = `SELECT id, account_id, epoch, stage, audience, return_to, session, secret, tries, must_change,
		password_at, created_at, expires_at, method, phone, code, code_expires, sent, sent_at FROM flows WHERE id = $1`
	dropOldFlows = `DELETE FROM flows WHERE account_id = $1 AND id NOT IN
		(SELECT id FROM flows WHERE account_id = $1 ORDER BY created_at DESC, id LIMIT $2)`
	insertFlow = `INSERT INTO flows (id, account_id, epoch, stage, audience, return_to, session, secret, tries,
		must_change, password_at, created_at, expires_at, method, phone, code, code_expires, sent, sent_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`
	saveFlow = `UPDATE flows SET account_id = $2, epoch = $3, stage = $4, audience = $5, return_to = $6, session = $7,
		secret = $8, tries = $9, must_change = $10, password_at = $11, created_at = $12, expires_at = $13,
		method = $14, phone = $15, code = $16, code_expires = $17, sent = $18, sent_at = $19
		WHERE id = $1`
	spendCode  = `UPDATE flows SET code = NULL WHERE id = $1 AND code = $2 AND tries < $3 AND code_expires > $4`
	missCode   = `UPDATE flows SET tries = tries + 1 WHERE id = $1`
	deleteFlow = `DELETE FROM flows WHERE id = $1`
)

// CreateFlow implements FlowRows.
func (t *tx) CreateFlow(f Flow, limit int) error {
	const doing = "creating a flow"
	if _, err := t.exec(doing, dropOldFlows, f.AccountID, max(0, limit-1)); err != nil {
		return err
	}
	_, err := t.exec(doing, insertFlow, flowColumns(f)...)
	return err
}

// Flow implements FlowRows.
func (t *tx) Flow(id []byte) (Flow, error) {
	var f Flow
	err := t.one("reading a flow", selectFlow, []any{id}, &f.ID, &f.AccountID, &f.Epoch, &f.Stage, &f.Audience,
		&f.ReturnTo, &f.Session, &f.Secret, &f.Tries, &f.MustChange, at(&f.PasswordAt), at(&f.CreatedAt),
		at(&f.ExpiresAt), &f.Method, &f.Phone, &f.Code, at(&f.CodeExpires), &f.Sent, at(&f.SentAt))
	return f, err
}

// SaveFlow implements FlowRows.
func (t *tx) SaveFlow(f Flow) error {
	return t.touched("saving a flow", saveFlow, flowColumns(f)...)
}

// SpendCode implements FlowRows.
func (t *tx) SpendCode(flowID, hash []byte, tries int, now time.Time) (bool, error) {
	n, err := t.exec("spending a code", spendCode, flowID, hash, tries, stamp(now))
	return n == 1, err
}

// MissCode implements FlowRows.
func (t *tx) MissCode(flowID []byte) error {
	_, err := t.exec("counting a wrong code", missCode, flowID)
	return err
}

// EndFlow implements FlowRows.
func (t *tx) EndFlow(id []byte) (bool, error) {
	n, err := t.exec("ending a flow", deleteFlow, id)
	return n == 1, err
}

// flowColumns are the columns in the order of the statements above.
func flowColumns(f Flow) []any {
	return []any{f.ID, f.AccountID, f.Epoch, string(f.Stage), f.Audience, f.ReturnTo, blob(f.Session), blob(f.Secret), f.Tries,
		f.MustChange, stamp(f.PasswordAt), stamp(f.CreatedAt), stamp(f.ExpiresAt), string(f.Method), f.Phone,
		blob(f.Code), stamp(f.CodeExpires), f.Sent, stamp(f.SentAt)}
}

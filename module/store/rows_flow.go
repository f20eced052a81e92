package store

const (
	selectFlow = `SELECT id, account_id, epoch, stage, audience, return_to, session, secret, tries, must_change,
		password_at, created_at, expires_at FROM flows WHERE id = $1`
	dropOldFlows = `DELETE FROM flows WHERE account_id = $1 AND id NOT IN
		(SELECT id FROM flows WHERE account_id = $1 ORDER BY created_at DESC, id LIMIT $2)`
	insertFlow = `INSERT INTO flows (id, account_id, epoch, stage, audience, return_to, session, secret, tries,
		must_change, password_at, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	saveFlow = `UPDATE flows SET account_id = $2, epoch = $3, stage = $4, audience = $5, return_to = $6, session = $7,
		secret = $8, tries = $9, must_change = $10, password_at = $11, created_at = $12, expires_at = $13
		WHERE id = $1`
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
		at(&f.ExpiresAt))
	return f, err
}

// SaveFlow implements FlowRows.
func (t *tx) SaveFlow(f Flow) error {
	return t.touched("saving a flow", saveFlow, flowColumns(f)...)
}

// EndFlow implements FlowRows.
func (t *tx) EndFlow(id []byte) (bool, error) {
	n, err := t.exec("ending a flow", deleteFlow, id)
	return n == 1, err
}

// flowColumns are the columns in the order of the statements above.
func flowColumns(f Flow) []any {
	return []any{f.ID, f.AccountID, f.Epoch, f.Stage, f.Audience, f.ReturnTo, blob(f.Session), blob(f.Secret), f.Tries,
		f.MustChange, stamp(f.PasswordAt), stamp(f.CreatedAt), stamp(f.ExpiresAt)}
}

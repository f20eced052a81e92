package store

import "time"

const (
	linkColumns = `id, account_id, purpose, created_at, expires_at`

	insertLink = `INSERT INTO one_time_links (` + linkColumns + `) VALUES ($1, $2, $3, $4, $5)`
	selectLink = `SELECT ` + linkColumns + ` FROM one_time_links WHERE id = $1 AND expires_at > $2`
	spendLink  = `DELETE FROM one_time_links WHERE id = $1 AND expires_at > $2 RETURNING ` + linkColumns
)

// CreateOneTimeLink implements OneTimeLinkRows.
func (t *tx) CreateOneTimeLink(l OneTimeLink) error {
	const doing = "creating a one-time link"
	if _, err := t.exec(doing, endLinks, l.AccountID); err != nil {
		return err
	}
	_, err := t.exec(doing, insertLink, l.ID, l.AccountID, string(l.Purpose), stamp(l.CreatedAt), stamp(l.ExpiresAt))
	return err
}

// OneTimeLink implements OneTimeLinkRows.
func (t *tx) OneTimeLink(id []byte, now time.Time) (OneTimeLink, error) {
	return t.link("reading a one-time link", selectLink, id, now)
}

// SpendOneTimeLink implements OneTimeLinkRows.
func (t *tx) SpendOneTimeLink(id []byte, now time.Time) (OneTimeLink, error) {
	const doing = "spending a one-time link"
	if err := t.mayWrite(doing); err != nil {
		return OneTimeLink{}, err
	}
	return t.link(doing, spendLink, id, now)
}

func (t *tx) link(doing, query string, id []byte, now time.Time) (OneTimeLink, error) {
	var l OneTimeLink
	err := t.one(doing, query, []any{id, stamp(now)}, &l.ID, &l.AccountID, &l.Purpose, at(&l.CreatedAt), at(&l.ExpiresAt))
	return l, err
}

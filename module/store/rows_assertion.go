package store

const (
	selectAssertionKeys = `SELECT id, succeeds, secret, signs_from FROM assertion_keys ORDER BY signs_from, id`
	insertAssertionKey  = `INSERT INTO assertion_keys (id, succeeds, secret, signs_from) VALUES ($1, $2, $3, $4)
		ON CONFLICT (succeeds) DO NOTHING`
	deleteAssertionKey = `DELETE FROM assertion_keys WHERE id = $1`
)

// AssertionKeys implements AssertionRows.
func (t *tx) AssertionKeys() ([]AssertionKey, error) {
	scan := func(row scanner) (k AssertionKey, err error) {
		err = row.Scan(&k.ID, &k.Succeeds, &k.Secret, at(&k.SignsFrom))
		return k, err
	}
	return list(t, "listing the keys of assertions", scan, selectAssertionKeys)
}

// CreateAssertionKey implements AssertionRows.
func (t *tx) CreateAssertionKey(k AssertionKey) (bool, error) {
	n, err := t.exec("keeping a key of assertions", insertAssertionKey, k.ID, k.Succeeds, blob(k.Secret), stamp(k.SignsFrom))
	return n > 0, err
}

// DeleteAssertionKey implements AssertionRows.
func (t *tx) DeleteAssertionKey(id string) error {
	_, err := t.exec("deleting a key of assertions", deleteAssertionKey, id)
	return err
}

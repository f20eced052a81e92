package store

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
)

// sealedTable is a table with a column secret. What a value is bound to when
// it is sealed is the name of the table, a slash, and the row.
type sealedTable struct {
	name string

	// count counts by key id, find lists what another key sealed, swap
	// replaces one value. substr counts from 1; 4 is secret.KeyIDSize.
	count, find, swap string

	// row and id turn the id of a row into text and back.
	row func(id []byte) string
	id  func(row string) (any, error)
}

// A key id of another size would make the statements below look in the wrong
// place; this does not compile then.
var _ [4]struct{} = [secret.KeyIDSize]struct{}{}

var sealedTables = []sealedTable{
	{
		name:  "factors",
		count: `SELECT substr(secret, 1, 4), COUNT(*) FROM factors WHERE secret IS NOT NULL GROUP BY 1`,
		find:  `SELECT id, secret FROM factors WHERE secret IS NOT NULL AND substr(secret, 1, 4) <> $1 LIMIT $2`,
		swap:  `UPDATE factors SET secret = $1 WHERE id = $2 AND secret = $3`,
		row:   func(id []byte) string { return string(id) },
		id:    func(row string) (any, error) { return row, nil },
	},
	{
		name:  "flows",
		count: `SELECT substr(secret, 1, 4), COUNT(*) FROM flows WHERE secret IS NOT NULL GROUP BY 1`,
		find:  `SELECT id, secret FROM flows WHERE secret IS NOT NULL AND substr(secret, 1, 4) <> $1 LIMIT $2`,
		swap:  `UPDATE flows SET secret = $1 WHERE id = $2 AND secret = $3`,
		row:   hex.EncodeToString,
		id:    func(row string) (any, error) { return hex.DecodeString(row) },
	},
	{
		name:  "assertion_keys",
		count: `SELECT substr(secret, 1, 4), COUNT(*) FROM assertion_keys GROUP BY 1`,
		find:  `SELECT id, secret FROM assertion_keys WHERE substr(secret, 1, 4) <> $1 LIMIT $2`,
		swap:  `UPDATE assertion_keys SET secret = $1 WHERE id = $2 AND secret = $3`,
		row:   func(id []byte) string { return string(id) },
		id:    func(row string) (any, error) { return row, nil },
	},
	{
		name:  "provider_sessions",
		count: `SELECT substr(secret, 1, 4), COUNT(*) FROM provider_sessions WHERE secret IS NOT NULL GROUP BY 1`,
		find:  `SELECT session, secret FROM provider_sessions WHERE secret IS NOT NULL AND substr(secret, 1, 4) <> $1 LIMIT $2`,
		swap:  `UPDATE provider_sessions SET secret = $1 WHERE session = $2 AND secret = $3`,
		row:   hex.EncodeToString,
		id:    func(row string) (any, error) { return hex.DecodeString(row) },
	},
}

// SealedKeys implements SealedRows.
func (t *tx) SealedKeys() (map[string]int, error) {
	type count struct {
		key []byte
		n   int
	}
	scan := func(row scanner) (c count, err error) {
		err = row.Scan(&c.key, &c.n)
		return c, err
	}
	keys := make(map[string]int)
	for _, table := range sealedTables {
		counts, err := list(t, "counting sealed values", scan, table.count)
		if err != nil {
			return nil, err
		}
		for _, c := range counts {
			keys[string(c.key)] += c.n
		}
	}
	return keys, nil
}

// SealedNotWith implements SealedRows.
func (t *tx) SealedNotWith(keyID []byte, limit int) ([]SealedValue, error) {
	var found []SealedValue
	for _, table := range sealedTables {
		scan := func(row scanner) (SealedValue, error) {
			value := SealedValue{Table: table.name}
			var id []byte
			err := row.Scan(&id, &value.Value)
			value.Row = table.row(id)
			return value, err
		}
		values, err := list(t, "listing sealed values", scan, table.find, keyID, limit-len(found))
		if err != nil {
			return nil, err
		}
		if found = append(found, values...); len(found) >= limit {
			break
		}
	}
	return found, nil
}

// Reseal implements SealedRows. A value that changed meanwhile is left as it
// is.
func (t *tx) Reseal(old SealedValue, new []byte) error {
	const doing = "resealing a value"
	if len(new) < secret.KeyIDSize {
		return fmt.Errorf("%s: %w", doing, errors.New("the new value is not a sealed one"))
	}
	for _, table := range sealedTables {
		if table.name != old.Table {
			continue
		}
		id, err := table.id(old.Row)
		if err != nil {
			return fmt.Errorf("%s: row %q of %s: %w", doing, old.Row, old.Table, err)
		}
		_, err = t.exec(doing, table.swap, new, id, old.Value)
		return err
	}
	return fmt.Errorf("%s: there is no table %q with sealed values", doing, old.Table)
}

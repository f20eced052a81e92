package store

import (
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"
	"time"
)

const (
	auditColumns = `at, action, outcome, account_id, actor, address, how, detail, error_id, count`

	insertAudit = `INSERT INTO audit (id, ` + auditColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	selectEvents          = `SELECT ` + auditColumns + ` FROM audit ORDER BY id DESC LIMIT $1`
	selectEventsOfAccount = `SELECT ` + auditColumns + ` FROM audit WHERE account_id = $1 ORDER BY id DESC LIMIT $2`
)

// Audit implements AuditRows.
func (t *tx) Audit(e Event) error {
	_, err := t.exec("writing the audit trail", insertAudit, auditID(e.At), stamp(e.At), e.Action, e.Outcome,
		e.AccountID, e.Actor, e.Address, e.How, e.Detail, e.ErrorID, max(1, e.Count))
	return err
}

// Events implements AuditRows.
func (t *tx) Events(accountID string, limit int) ([]Event, error) {
	scan := func(row scanner) (e Event, err error) {
		err = row.Scan(at(&e.At), &e.Action, &e.Outcome, &e.AccountID, &e.Actor, &e.Address, &e.How, &e.Detail,
			&e.ErrorID, &e.Count)
		return e, err
	}
	const doing = "reading the audit trail"
	if accountID == "" {
		return list(t, doing, scan, selectEvents, limit)
	}
	return list(t, doing, scan, selectEventsOfAccount, accountID, limit)
}

var auditSequence atomic.Uint32

// auditID orders entries by time, and those of one process and one moment as
// they were written: 8 bytes of time, 4 that count, 4 at random.
func auditID(at time.Time) []byte {
	id := binary.BigEndian.AppendUint64(nil, uint64(max(0, stamp(at))))
	id = binary.BigEndian.AppendUint32(id, auditSequence.Add(1))
	id = append(id, 0, 0, 0, 0)
	rand.Read(id[12:]) // never fails, see its documentation
	return id
}

// auditBefore is less than the id of any entry made at that time or later.
func auditBefore(at time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(max(0, stamp(at))))
}

package store

import "time"

const (
	dropOldTickets = `DELETE FROM tickets WHERE session = $1 AND id NOT IN
		(SELECT id FROM tickets WHERE session = $1 ORDER BY created_at DESC, id LIMIT $2)`
	insertTicket = `INSERT INTO tickets (id, session, origin, binding, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`
	selectTicket = `SELECT id, session, origin, binding, created_at, expires_at FROM tickets WHERE id = $1 AND expires_at > $2`
	spendTicket  = `DELETE FROM tickets WHERE id = $1 AND expires_at > $2
		RETURNING id, session, origin, binding, created_at, expires_at`
)

// CreateTicket implements TicketRows.
func (t *tx) CreateTicket(k Ticket, limit int) error {
	const doing = "creating a ticket"
	if _, err := t.exec(doing, dropOldTickets, k.Session, max(0, limit-1)); err != nil {
		return err
	}
	_, err := t.exec(doing, insertTicket, k.ID, k.Session, k.Origin, k.Binding, stamp(k.CreatedAt), stamp(k.ExpiresAt))
	return err
}

// Ticket implements TicketRows.
func (t *tx) Ticket(id []byte, now time.Time) (Ticket, error) {
	return t.ticket("reading a ticket", selectTicket, id, now)
}

// SpendTicket implements TicketRows.
func (t *tx) SpendTicket(id []byte, now time.Time) (Ticket, error) {
	const doing = "spending a ticket"
	if err := t.mayWrite(doing); err != nil {
		return Ticket{}, err
	}
	return t.ticket(doing, spendTicket, id, now)
}

func (t *tx) ticket(doing, query string, id []byte, now time.Time) (k Ticket, err error) {
	err = t.one(doing, query, []any{id, stamp(now)}, &k.ID, &k.Session, &k.Origin, &k.Binding, at(&k.CreatedAt), at(&k.ExpiresAt))
	return k, err
}

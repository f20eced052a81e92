package session

import (
	"bytes"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// maxFamily bounds the sessions of one family. A browser has one on each site
// behind a portal; whoever sends none of them back could otherwise be given more
// without end, for nothing but tickets, and each costs a look at all others.
const maxFamily = 256

// makeRoom ends the oldest sessions of the family that a new one joins, if it has
// too many. Of those who still use one of them the portal makes another. The one
// that the others are made from stays.
func (k *Keeper) makeRoom(tx store.Tx, b Beginning) error {
	if b.Family == nil {
		return nil
	}
	all, err := tx.Sessions(b.AccountID) // the newest first
	if err != nil {
		return err
	}
	room := maxFamily - 2 // beside the new one and b.From
	for _, other := range all {
		if !bytes.Equal(other.Family, b.Family) || bytes.Equal(other.ID, b.From) {
			continue
		}
		if room > 0 {
			room--
			continue
		}
		if err := tx.DropSession(other.ID); err != nil {
			return err
		}
	}
	return nil
}

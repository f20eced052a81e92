package account

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	// From freeGuesses wrong guesses in a row on, the next one waits:
	// firstWait, twice that after each further one, at most longestWait.
	freeGuesses = 10
	firstWait   = 30 * time.Second
	longestWait = time.Hour

	// maxGuesses in a row is all there will ever be (NIST SP 800-63B-4,
	// section 3.2.2): the account is held until it is unlocked.
	maxGuesses = 100
	heldWait   = 24 * time.Hour

	// A network may guess networkGuesses times, and again once for each
	// networkLeak that passes: offices share an address.
	networkGuesses = 100
	networkLeak    = 30 * time.Second

	// buckets is how many counters there are for names that nobody has, and
	// how many for networks, so that made-up ones cost no room.
	buckets = 1 << 14

	// bucketLifetime is how long a counter of unknown names counts before
	// it begins anew. Otherwise the typing errors of years would fill it,
	// and its names could be told from those of people.
	bucketLifetime = 30 * 24 * time.Hour
)

// kind is what is guessed. Kinds are counted separately: a right password does
// not clear what was guessed of the passcode.
type kind string

const (
	passwords kind = "password"
	passcodes kind = "passcode"
	links     kind = "link"
	resets    kind = "reset" // nothing is guessed: links are asked for
)

// guesses names the counters of wrong guesses in the store.
type guesses struct {
	key []byte // keeps others from choosing who shares a counter with whom
}

func newGuesses(ring *secret.Ring) guesses {
	return guesses{key: ring.Derive("guess buckets", sha256.Size)}
}

// attempt is one guess under way: the counters that it counts under.
type attempt struct {
	person  string    // key; "" if nobody in particular
	network string    // key; "" if the network does not count
	since   time.Time // what was counted for the person before is forgotten
}

// known returns the counters of a guess at somebody's password or passcode.
// One that comes from a browser they have signed in with counts there, and
// neither what strangers guess nor what its network does holds it.
func (g guesses) known(tx store.Tx, k kind, accountID string, from From) (attempt, error) {
	if !from.Device.Knows(accountID) {
		return attempt{
			person:  accountKey(k, accountID),
			network: g.network(k, from),
		}, nil
	}
	lifted, err := tx.Failures(liftedKey(k, accountID))
	if err != nil {
		return attempt{}, err
	}
	return attempt{person: fmt.Sprintf("%s%s/device/%s/%s/%d", store.KeptKey, k, from.Device.ID, accountID, lifted.Count)}, nil
}

// unknown returns the counters of a guess at a name that nobody has.
func (g guesses) unknown(k kind, email string, from From, now time.Time) attempt {
	sum := g.sum("name", identity.EmailKey(email))
	// The counters begin anew one after the other, not all at one moment.
	lifetime := int64(bucketLifetime / time.Second)
	offset := int64(binary.BigEndian.Uint32(sum[8:12])) % lifetime
	begun := (now.Unix()+offset)/lifetime*lifetime - offset
	return attempt{
		person:  fmt.Sprintf("%s%s/unknown/%d", store.KeptKey, k, bucket(sum)),
		network: g.network(k, from),
		since:   time.Unix(begun, 0),
	}
}

// anyone returns the counters of a guess at nobody in particular.
func (g guesses) anyone(k kind, from From) attempt { return attempt{network: g.network(k, from)} }

func (g guesses) network(k kind, from From) string {
	return fmt.Sprintf("%s/network/%d", k, bucket(g.sum("network", network(from.Address).String())))
}

func (g guesses) sum(what, text string) []byte {
	mac := hmac.New(sha256.New, g.key)
	mac.Write([]byte(what + "/" + text))
	return mac.Sum(nil)
}

func bucket(sum []byte) uint64 { return binary.BigEndian.Uint64(sum) % buckets }

// network is whose guesses are counted together: one IPv4 address, or the /64
// that a site with IPv6 has at least.
func network(address netip.Addr) netip.Prefix {
	address = address.Unmap().WithZone("")
	bits := 32
	if address.Is6() {
		bits = 64
	}
	prefix, err := address.Prefix(bits)
	if err != nil { // no address: those without one share a network
		return netip.Prefix{}
	}
	return prefix
}

// held returns why and how long the attempt has to wait, or nil.
func (a attempt) held(tx store.Tx, now time.Time) (*Held, error) {
	var longest Held
	if a.person != "" {
		failures, err := tx.Failures(a.person)
		if err != nil {
			return nil, err
		}
		if !failures.Last.Before(a.since) {
			longest = personHeld(failures, now)
		}
	}
	if a.network != "" {
		failures, err := tx.Failures(a.network)
		if err != nil {
			return nil, err
		}
		longest.RetryAfter = max(longest.RetryAfter, networkHeld(failures, now))
	}
	if longest.RetryAfter <= 0 {
		return nil, nil
	}
	return &longest, nil
}

func personHeld(failures store.Failures, now time.Time) Held {
	switch {
	case failures.Count >= maxGuesses:
		return Held{RetryAfter: heldWait, UntilUnlock: true}
	case failures.Count < freeGuesses:
		return Held{}
	}
	wait := firstWait
	for range failures.Count - freeGuesses {
		if wait *= 2; wait >= longestWait {
			wait = longestWait
			break
		}
	}
	return Held{RetryAfter: failures.Last.Add(wait).Sub(now)}
}

func networkHeld(failures store.Failures, now time.Time) time.Duration {
	if failures.Count < networkGuesses {
		return 0
	}
	forget := time.Duration(failures.Count-networkGuesses+1) * networkLeak
	return failures.Last.Add(forget).Sub(now)
}

// count counts the attempt as a wrong one. That is done before it is checked,
// so that many at once do not get past the limit.
func (a attempt) count(tx store.Tx, now time.Time) error {
	if a.person != "" {
		failures, err := tx.Failures(a.person)
		if err != nil {
			return err
		}
		if failures.Last.Before(a.since) {
			if err := tx.ClearFailures(a.person); err != nil {
				return err
			}
		}
		if _, err := tx.CountFailure(a.person, now, 0); err != nil {
			return err
		}
	}
	if a.network != "" {
		// In whole leaks: what is left over would be lost each time, and a
		// network where people sign in all day would never forget.
		if _, err := tx.CountFailure(a.network, now.Truncate(networkLeak), networkLeak); err != nil {
			return err
		}
	}
	return nil
}

// succeeded takes the attempt back, and forgives the person the ones before it.
func (a attempt) succeeded(tx store.Tx) error {
	if a.person != "" {
		if err := tx.ClearFailures(a.person); err != nil {
			return err
		}
	}
	if a.network != "" {
		return tx.UncountFailure(a.network)
	}
	return nil
}

// lift ends the waiting for an account: strangers' counters, and those of all
// known browsers, whose names have the number of liftings in them.
func lift(tx store.Tx, k kind, accountID string, now time.Time) error {
	if _, err := tx.CountFailure(liftedKey(k, accountID), now, 0); err != nil {
		return err
	}
	return tx.ClearFailures(accountKey(k, accountID))
}

// accountHeld returns how long strangers have to wait, or nil.
func accountHeld(tx store.Tx, k kind, accountID string, now time.Time) (*Held, error) {
	return attempt{person: accountKey(k, accountID)}.held(tx, now)
}

func accountKey(k kind, accountID string) string {
	return store.KeptKey + string(k) + "/account/" + accountID
}

func liftedKey(k kind, accountID string) string {
	return store.KeptKey + string(k) + "/lifted/" + accountID
}

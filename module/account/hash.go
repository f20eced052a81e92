package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
)

const (
	saltSize = 16
	hashSize = 32

	// maxMemory and maxTime bound what a stored hash may ask for, so that a
	// damaged row cannot take the machine down.
	maxMemory = 1 << 20 // KiB
	maxTime   = 64
)

// Parameters are the cost of a password hash (Argon2id, RFC 9106).
type Parameters struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// DefaultParameters are the least that OWASP's password storage guide allows.
var DefaultParameters = Parameters{Memory: 19 * 1024, Time: 2, Threads: 1}

// work is what a hash costs, in KiB written.
func (p Parameters) work() uint64 { return uint64(p.Memory) * uint64(p.Time) }

// weaker reports whether a hash with p should be made anew with other.
func (p Parameters) weaker(other Parameters) bool {
	return p.Memory < other.Memory || p.Time < other.Time
}

// Hasher makes and compares password hashes, each of them behind the gate. One
// Hasher can serve the whole process.
type Hasher struct {
	gate       *Gate
	parameters Parameters
	fake       hash
	count      atomic.Int64
	spent      atomic.Uint64 // see Parameters.work
}

// hash is a password hash, taken apart.
type hash struct {
	Parameters
	salt, sum []byte
}

// NewHasher returns a hasher whose new hashes cost that much.
func NewHasher(gate *Gate, parameters Parameters) *Hasher {
	return &Hasher{
		gate:       gate,
		parameters: parameters,
		// No password hashes to random bytes, so comparing with them costs
		// what it costs for a real account and never succeeds.
		fake: hash{parameters, randomBytes(saltSize), randomBytes(hashSize)},
	}
}

// Hashes returns how many hashes have been computed.
func (h *Hasher) Hashes() int64 { return h.count.Load() }

// enter waits at the gate. See Gate.Enter.
func (h *Hasher) enter(ctx context.Context, v visitor) (leave func(), err error) {
	return h.gate.enter(ctx, v)
}

// make returns the hash of a password as a PHC string. The caller has entered.
func (h *Hasher) make(password string) string {
	made := hash{Parameters: h.parameters, salt: randomBytes(saltSize)}
	made.sum = h.sum(password, made)
	return made.String()
}

// matches compares a password with a PHC string; "" stands for somebody who
// has no password, and takes as long. again is true if the password matches
// and its hash should be made anew. The caller has entered.
func (h *Hasher) matches(password, phc string) (ok, again bool, err error) {
	stored := h.fake
	if phc != "" {
		if stored, err = parseHash(phc); err != nil {
			return false, false, err
		}
	}
	ok = subtle.ConstantTimeCompare(h.sum(password, stored), stored.sum) == 1 && phc != ""
	again = stored.weaker(h.parameters)
	if again && !ok {
		h.topUp(password, stored)
	}
	return ok, again, nil
}

// topUp spends what a hash with the present parameters would have cost more.
// Otherwise a quick answer would tell that the address belongs to somebody
// whose hash is an old one.
func (h *Hasher) topUp(password string, stored hash) {
	if missing := h.parameters.work() - min(stored.work(), h.parameters.work()); missing > 0 {
		stored.Parameters = Parameters{Memory: uint32(missing), Time: 1, Threads: h.parameters.Threads}
		h.argon2(password, stored)
	}
}

func (h *Hasher) sum(password string, with hash) []byte {
	h.count.Add(1)
	return h.argon2(password, with)
}

func (h *Hasher) argon2(password string, with hash) []byte {
	h.spent.Add(with.work())
	return argon2.IDKey([]byte(password), with.salt, with.Time, with.Memory, with.Threads, hashSize)
}

var phcEncoding = base64.RawStdEncoding.Strict()

// String returns the PHC string, as in
// $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>.
func (h hash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.Memory, h.Time, h.Threads,
		phcEncoding.EncodeToString(h.salt), phcEncoding.EncodeToString(h.sum))
}

var errHash = errors.New("a stored password hash cannot be read; set the password again")

func parseHash(phc string) (hash, error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return hash{}, errHash
	}
	var h hash
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.Memory, &h.Time, &h.Threads); err != nil {
		return hash{}, errHash
	}
	if h.Memory == 0 || h.Memory > maxMemory || h.Time == 0 || h.Time > maxTime || h.Threads == 0 {
		return hash{}, errHash
	}
	var err error
	if h.salt, err = phcEncoding.DecodeString(parts[4]); err != nil || len(h.salt) < 8 {
		return hash{}, errHash
	}
	if h.sum, err = phcEncoding.DecodeString(parts[5]); err != nil || len(h.sum) != hashSize {
		return hash{}, errHash
	}
	return h, nil
}

func randomBytes(size int) []byte {
	b := make([]byte, size)
	rand.Read(b) // never fails, see its documentation
	return b
}

package secret

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/gorilla/securecookie"
)

const (
	// MaxCookieSize is the longest value that Encode returns. Browsers keep
	// 4096 bytes of name and value together.
	MaxCookieSize = 4000

	// maxAhead is how far in the future a stamp may lie: the clocks of two
	// machines are never quite equal.
	maxAhead = 90 * time.Second

	stampSize = 8
)

var (
	// ErrCookieInvalid: not one of ours, changed, or under another name.
	ErrCookieInvalid = errors.New("cookie is not valid")

	// ErrCookieExpired: one of ours, but too old.
	ErrCookieExpired = errors.New("cookie has expired")

	// ErrCookieAhead: one of ours, but made in the future.
	ErrCookieAhead = errors.New("cookie is stamped in the future: the clocks of the machines differ")
)

// Cookies seals the values of cookies of one purpose. A cookie of another
// purpose or another name does not decode. The same payload may be spelled in
// several ways, so a value must never serve as an identity.
type Cookies struct {
	codecs []*securecookie.SecureCookie // in the order of the ring
	maxAge time.Duration
}

// Cookies returns the codec of a purpose. Values older than maxAge are refused.
func (r *Ring) Cookies(purpose string, maxAge time.Duration) *Cookies {
	c := &Cookies{maxAge: maxAge}
	// securecookie holds its own stamp against the real clock, in whole
	// seconds, and takes 0 for "for ever". The exact age is told by ours.
	seconds := max(1, int((maxAge+time.Second-1)/time.Second)+1)
	for i := range r.keys {
		codec := securecookie.New(
			r.keys[i].derive("cookie hash/"+purpose, 32),
			r.keys[i].derive("cookie block/"+purpose, 32),
		)
		codec.MaxAge(seconds).MaxLength(MaxCookieSize).SetSerializer(securecookie.NopEncoder{})
		c.codecs = append(c.codecs, codec)
	}
	return c
}

// Encode returns the value for a cookie of that name, stamped with now. It
// fails if the value would be longer than MaxCookieSize.
func (c *Cookies) Encode(name string, payload []byte, now time.Time) (string, error) {
	stamped := make([]byte, stampSize, stampSize+len(payload))
	binary.BigEndian.PutUint64(stamped, uint64(now.UnixMilli()))
	value, err := c.codecs[0].Encode(name, append(stamped, payload...))
	if err != nil {
		return "", fmt.Errorf("encoding cookie %s: %w", name, err)
	}
	return value, nil
}

// Decode returns the payload of a cookie that any secret of the ring sealed.
// Errors are ErrCookieInvalid, ErrCookieExpired and ErrCookieAhead.
func (c *Cookies) Decode(name, value string, now time.Time) ([]byte, error) {
	for _, codec := range c.codecs {
		var stamped []byte
		if err := codec.Decode(name, value, &stamped); err != nil || len(stamped) < stampSize {
			continue
		}
		at := time.UnixMilli(int64(binary.BigEndian.Uint64(stamped)))
		switch {
		case at.After(now.Add(maxAhead)):
			return nil, ErrCookieAhead
		case at.Add(c.maxAge).Before(now):
			return nil, ErrCookieExpired
		}
		return stamped[stampSize:], nil
	}
	return nil, ErrCookieInvalid
}

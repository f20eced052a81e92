package sso

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

// dates are when a token was made, and when it counts.
type dates struct {
	Expiry    json.Number `json:"exp"`
	IssuedAt  json.Number `json:"iat"`
	NotBefore json.Number `json:"nbf"`
}

// check returns when the token called what ends, or an error unless it counts
// now and was made not long ago.
func (d *dates) check(what string, now time.Time) (expiry time.Time, err error) {
	if expiry, err = instant("exp", d.Expiry); err != nil {
		return expiry, err
	}
	issued, err := instant("iat", d.IssuedAt)
	if err != nil {
		return expiry, err
	}
	switch {
	case !expiry.After(now):
		return expiry, faultf(FaultClock, "%s: exp: it expired at %s: is a clock wrong, here or at the provider?", what, expiry.UTC().Format(time.RFC3339))
	case issued.After(now.Add(skew)):
		return expiry, faultf(FaultClock, "%s: iat is %s in the future: a clock is wrong, here or at the provider", what, issued.Sub(now).Round(time.Second))
	case issued.Before(now.Add(-maxTokenAge)):
		return expiry, faultf(FaultClock, "%s: iat is %s ago: a clock is wrong, here or at the provider", what, now.Sub(issued).Round(time.Second))
	case expiry.Before(issued):
		return expiry, errors.New("exp is before iat")
	}
	if d.NotBefore == "" {
		return expiry, nil
	}
	from, err := instant("nbf", d.NotBefore)
	if err == nil && from.After(now.Add(skew)) {
		err = faultf(FaultClock, "%s: nbf is in the future: a clock is wrong, here or at the provider", what)
	}
	return expiry, err
}

// instant reads a NumericDate (RFC 7519 section 2).
func instant(name string, number json.Number) (time.Time, error) {
	if number == "" {
		return time.Time{}, fmt.Errorf("%s is missing", name)
	}
	seconds, err := number.Float64()
	if err != nil || seconds <= 0 || seconds > 1<<40 {
		return time.Time{}, fmt.Errorf("%s is not a time", name)
	}
	return time.Unix(int64(seconds), 0), nil
}

// audience is one string or several (RFC 7519 section 4.1.3).
type audience []string

// check refuses a token that was made for anybody but this client: an audience
// that is not trusted makes it untrusted.
func (a audience) check(clientID string) error {
	if !slices.Contains(a, clientID) {
		return errors.New("aud does not name this client")
	}
	for _, other := range a {
		if other != clientID {
			return fmt.Errorf("aud: it was also made for %q, which is not trusted", words(other, 100, nil))
		}
	}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(a))
}

// Interface guards.
var _ json.Unmarshaler = (*audience)(nil)

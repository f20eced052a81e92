package secret

import (
	"encoding/base64"
	"math"
	"strings"
	"testing"
	"time"
)

// sealedCookies are names and payloads of cookies, all that was ever sealed
// with the secrets of the fuzz target.
var sealedCookies = map[string]string{
	"auth_gateway":                       "a token of 43 characters, base64 as it is",
	"auth_gateway_flow_AAAAAAAAAAAAAAAA": `{"t":"a token","a":1893553445000}`,
	"auth_gateway_device":                "",
}

// FuzzCookies: a cookie opens under the name and for the purpose that it was
// sealed for and holds what was sealed, or it does not open; however it is
// respelled, it never becomes another one.
func FuzzCookies(f *testing.F) {
	ring, err := NewRing(newer, older)
	if err != nil {
		f.Fatal(err)
	}
	before, err := NewRing(older)
	if err != nil {
		f.Fatal(err)
	}
	others, err := NewRing(strings.Repeat("others-", 6))
	if err != nil {
		f.Fatal(err)
	}
	// Values found in earlier runs stay good, so that they can be respelled.
	const forEver = math.MaxInt32 * time.Second
	cookies := ring.Cookies("session", forEver)
	for name, payload := range sealedCookies {
		for _, sealer := range []*Cookies{
			cookies, before.Cookies("session", forEver), others.Cookies("session", forEver), ring.Cookies("flow", forEver),
		} {
			value, err := sealer.Encode(name, []byte(payload), start)
			if err != nil {
				f.Fatal(err)
			}
			for _, respelled := range []string{
				value, strings.TrimRight(value, "="), value + "=", value + "\n", " " + value, `"` + value + `"`, strings.ToUpper(value),
				strings.NewReplacer("-", "+", "_", "/").Replace(value), value[:len(value)-1] + "A", value[:len(value)/2], value + value,
			} {
				f.Add(name, respelled)
			}
		}
		f.Add(name, base64.URLEncoding.EncodeToString([]byte("1893553445|"+payload+"|mac")))
	}
	f.Add("", "")
	f.Add("auth_gateway", strings.Repeat("A", MaxCookieSize+1))

	f.Fuzz(func(t *testing.T, name, value string) {
		got, err := cookies.Decode(name, value, start)
		if err != nil {
			if got != nil {
				t.Fatalf("%q of %q: %v, and yet %q", value, name, err, got)
			}
			return
		}
		want, known := sealedCookies[name]
		if !known || string(got) != want {
			t.Fatalf("%q of %q holds %q, which was never sealed", value, name, got)
		}
		for other := range sealedCookies {
			if other == name {
				continue
			}
			if got, err := cookies.Decode(other, value, start); err == nil {
				t.Fatalf("%q is of %q and opens as %q: %q", value, name, other, got)
			}
		}
		for purpose, other := range map[string]*Cookies{
			"another purpose": ring.Cookies("device", forEver), "another secret": others.Cookies("session", forEver),
		} {
			if got, err := other.Decode(name, value, start); err == nil {
				t.Fatalf("%q opens for %s: %q", value, purpose, got)
			}
		}
		if _, err := cookies.Decode(name, value, start.Add(-maxAhead-time.Hour)); err == nil {
			t.Fatalf("%q opens an hour before it was made", value)
		}
	})
}

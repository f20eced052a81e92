package account

import (
	"encoding/base32"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"golang.org/x/text/width"
)

const (
	// totpSecretSize is as long as the hash, which RFC 4226, section 4
	// recommends. A shorter secret never validates.
	totpSecretSize = 20
	totpPeriod     = 30 * time.Second
	totpSkew       = 1 // steps, before and after
)

var totpOptions = hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

var typedEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// matchingSteps returns the time steps at which the authenticator app with
// that secret shows the code, the latest first: should a code come up twice,
// using the latest one up leaves none to use it again (RFC 6238, section 5.2).
func matchingSteps(secret []byte, code string, now time.Time) []int64 {
	if len(secret) < totpSecretSize || len(code) != totpOptions.Digits.Length() {
		return nil
	}
	key := typedEncoding.EncodeToString(secret)
	present := now.Unix() / int64(totpPeriod/time.Second)
	var steps []int64
	for _, skew := range []int64{totpSkew, 0, -totpSkew} {
		if ok, err := hotp.ValidateCustom(code, uint64(present+skew), key, totpOptions); err == nil && ok {
			steps = append(steps, present+skew)
		}
	}
	return steps
}

// totpKey returns what an authenticator app reads from the QR code, and the
// same key to be typed.
func totpKey(secret []byte, issuer, name string) (uri, typed string) {
	issuer, name = labelPart(issuer), labelPart(name)
	key := typedEncoding.EncodeToString(secret)
	query := url.Values{
		"secret":    {key},
		"issuer":    {issuer},
		"algorithm": {totpOptions.Algorithm.String()},
		"digits":    {totpOptions.Digits.String()},
		"period":    {strconv.Itoa(int(totpPeriod / time.Second))},
	}
	// Not totp.Generate: it leaves "&" in an issuer as it is. And apps do not
	// read "+" as a space.
	u := url.URL{
		Scheme:   "otpauth",
		Host:     "totp",
		Path:     "/" + issuer + ":" + name,
		RawQuery: strings.ReplaceAll(query.Encode(), "+", "%20"),
	}
	return u.String(), groups(key, " ")
}

// labelPart leaves out the colon, which separates the two parts of a label.
func labelPart(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, ":", " ")), " ")
}

// typedCode takes out of a code what people put into it to read it, spaces and
// hyphens, and what nobody sees that pasting brings along. Full-width characters become plain ones.
func typedCode(code string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.In(r, unicode.Pd, unicode.Cf) || r == '\u2212' || r == '\u30FC' {
			return -1
		}
		return r
	}, width.Narrow.String(code))
}

// groups puts something between every four characters.
func groups(text, between string) string {
	var b strings.Builder
	for i := 0; i < len(text); i += 4 {
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(text[i:min(i+4, len(text))])
	}
	return b.String()
}

package secret

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

var (
	older = strings.Repeat("older-", 6)
	newer = strings.Repeat("newer-", 6)
	start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
)

func ring(t *testing.T, secrets ...string) *Ring {
	t.Helper()
	r, err := NewRing(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNewRingRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		secrets []string
		want    string
	}{
		"none":                {nil, "openssl rand -base64 32"},
		"empty":               {[]string{""}, "secret 1 has 0 bytes"},
		"one byte short":      {[]string{strings.Repeat("x", 31)}, "secret 1 has 31 bytes"},
		"padded with spaces":  {[]string{strings.Repeat("x", 31) + " \n"}, "secret 1 has 31 bytes"},
		"short second":        {[]string{newer, "short"}, "secret 2 has 5 bytes"},
		"given twice":         {[]string{newer, older, newer}, "secret 3 is the same as secret 1"},
		"twice but a newline": {[]string{newer, newer + "\n"}, "secret 2 is the same as secret 1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewRing(tc.secrets...)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
			for _, s := range tc.secrets {
				if len(s) > 4 && strings.Contains(err.Error(), s) {
					t.Fatalf("error shows the secret: %v", err)
				}
			}
		})
	}
}

func TestDerive(t *testing.T) {
	r := ring(t, newer, older)
	a := r.Derive("a", 32)
	if len(a) != 32 || !bytes.Equal(a, r.Derive("a", 32)) {
		t.Fatal("the same purpose must give the same key")
	}
	for name, other := range map[string][]byte{
		"another purpose":     r.Derive("b", 32),
		"another newest":      ring(t, older, newer).Derive("a", 32),
		"purpose of our own":  r.keys[0].derive("a", 32),
		"the key that seals":  r.keys[0].derive("seal", 32),
		"named like our seal": r.Derive("seal", 32),
	} {
		if bytes.Equal(a, other) {
			t.Errorf("%s gives the same key", name)
		}
	}
	if bytes.Equal(r.Derive("seal", 32), r.keys[0].derive("seal", 32)) {
		t.Error("a caller can derive the key that seals")
	}
	if !bytes.Equal(a, ring(t, newer+"\n").Derive("a", 32)) {
		t.Error("a newline at the end of the file makes another key")
	}
}

func TestSeal(t *testing.T) {
	r := ring(t, newer)
	plain := []byte("JBSWY3DPEHPK3PXP")
	sealed := r.Seal(plain, "factors/1")
	if got, err := r.Open(sealed, "factors/1"); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("got %q, %v", got, err)
	}
	if bytes.Contains(sealed, plain) {
		t.Fatal("the plain text shows")
	}
	if bytes.Equal(sealed, r.Seal(plain, "factors/1")) {
		t.Fatal("the nonce repeats")
	}
	if !bytes.HasPrefix(sealed, r.KeyID()) {
		t.Fatal("the value does not name its key")
	}
	flip := func(i int) []byte {
		b := bytes.Clone(sealed)
		b[i] ^= 1
		return b
	}
	for name, tc := range map[string]struct {
		sealed []byte
		row    string
		want   error
	}{
		"moved to another row":  {sealed, "factors/2", ErrNotSealed},
		"changed in the text":   {flip(len(sealed) - 20), "factors/1", ErrNotSealed},
		"changed in the tag":    {flip(len(sealed) - 1), "factors/1", ErrNotSealed},
		"changed in the nonce":  {flip(KeyIDSize), "factors/1", ErrNotSealed},
		"changed in the key id": {flip(0), "factors/1", ErrUnknownKey},
		"cut":                   {sealed[:len(sealed)-1], "factors/1", ErrNotSealed},
		"only a key id":         {sealed[:KeyIDSize], "factors/1", ErrNotSealed},
		"too short":             {sealed[:3], "factors/1", ErrNotSealed},
		"nothing":               {nil, "factors/1", ErrNotSealed},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := r.Open(tc.sealed, tc.row); !errors.Is(err, tc.want) || got != nil {
				t.Fatalf("got %q, %v; want %v", got, err, tc.want)
			}
		})
	}
}

func TestRotation(t *testing.T) {
	before, during, after := ring(t, older), ring(t, newer, older), ring(t, newer)
	sealed := before.Seal([]byte("plain"), "row")
	if got, err := during.Open(sealed, "row"); err != nil || string(got) != "plain" {
		t.Fatalf("the older secret no longer opens: %q, %v", got, err)
	}
	if _, err := after.Open(sealed, "row"); !errors.Is(err, ErrUnknownKey) {
		t.Fatalf("a dropped secret: got %v, want %v", err, ErrUnknownKey)
	}
	if bytes.Equal(before.KeyID(), during.KeyID()) || !bytes.Equal(during.KeyID(), after.KeyID()) {
		t.Fatal("the first secret must be the one that seals")
	}
	if !during.Knows(before.KeyID()) || !during.Knows(after.KeyID()) || after.Knows(before.KeyID()) || after.Knows(nil) {
		t.Fatal("Knows tells the wrong keys")
	}
	during.KeyID()[0]++
	if !bytes.Equal(during.KeyID(), after.KeyID()) {
		t.Fatal("a caller can change the ring through KeyID")
	}

	value, err := before.Cookies("session", time.Hour).Encode("c", []byte("id"), start)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := during.Cookies("session", time.Hour).Decode("c", value, start); err != nil || string(got) != "id" {
		t.Fatalf("a cookie of the older secret: %q, %v", got, err)
	}
	if _, err := after.Cookies("session", time.Hour).Decode("c", value, start); !errors.Is(err, ErrCookieInvalid) {
		t.Fatalf("a cookie of a dropped secret: %v", err)
	}
}

func TestCookies(t *testing.T) {
	r := ring(t, newer, older)
	c := r.Cookies("flow", 10*time.Minute)
	value, err := c.Encode("name", []byte("payload"), start)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		c     *Cookies
		name  string
		value string
		now   time.Time
		want  error
	}{
		"at once":                     {c, "name", value, start, nil},
		"at the last moment":          {c, "name", value, start.Add(10 * time.Minute), nil},
		"too old":                     {c, "name", value, start.Add(10*time.Minute + time.Millisecond), ErrCookieExpired},
		"from a clock 90 s ahead":     {c, "name", value, start.Add(-90 * time.Second), nil},
		"from further in the future":  {c, "name", value, start.Add(-90*time.Second - time.Millisecond), ErrCookieAhead},
		"under another name":          {c, "other", value, start, ErrCookieInvalid},
		"of another purpose":          {r.Cookies("device", 10*time.Minute), "name", value, start, ErrCookieInvalid},
		"of a shorter life elsewhere": {r.Cookies("flow", time.Minute), "name", value, start.Add(2 * time.Minute), ErrCookieExpired},
		"no life at all":              {r.Cookies("flow", 0), "name", value, start.Add(time.Millisecond), ErrCookieExpired},
		"empty":                       {c, "name", "", start, ErrCookieInvalid},
		"not base64":                  {c, "name", "%%%", start, ErrCookieInvalid},
		"cut":                         {c, "name", value[:len(value)-8], start, ErrCookieInvalid},
		"longer than any":             {c, "name", strings.Repeat("A", MaxCookieSize+4), start, ErrCookieInvalid},
		"the payload in the clear":    {c, "name", base64.URLEncoding.EncodeToString([]byte("payload")), start, ErrCookieInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.c.Decode(tc.name, tc.value, tc.now)
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if tc.want == nil && string(got) != "payload" || tc.want != nil && got != nil {
				t.Fatalf("payload %q", got)
			}
		})
	}
}

func TestCookiesSizes(t *testing.T) {
	c := ring(t, newer).Cookies("flow", time.Minute)
	payload := []byte("kept")
	value, err := c.Encode("n", payload, start)
	if err != nil || string(payload) != "kept" {
		t.Fatalf("the caller's payload was changed: %q, %v", payload, err)
	}
	if strings.Contains(value, base64.RawURLEncoding.EncodeToString(payload)) {
		t.Fatal("the payload is not encrypted")
	}
	if value, err = c.Encode("n", nil, start); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Decode("n", value, start); err != nil || len(got) != 0 {
		t.Fatalf("an empty payload: %q, %v", got, err)
	}
	if value, err = c.Encode("n", make([]byte, 2000), start); err != nil || len(value) > MaxCookieSize {
		t.Fatalf("2000 bytes must fit: %d, %v", len(value), err)
	}
	if _, err = c.Encode("n", make([]byte, MaxCookieSize), start); err == nil {
		t.Fatal("a browser would drop this cookie in silence")
	}
}

func TestToken(t *testing.T) {
	token, id := NewToken()
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 32 {
		t.Fatalf("token %q: %d bytes, %v", token, len(raw), err)
	}
	if len(id) != 32 || !bytes.Equal(id, TokenID(token)) || bytes.Equal(id, raw) {
		t.Fatalf("id %x of token %q", id, token)
	}
	if again, _ := NewToken(); again == token {
		t.Fatal("the same token twice")
	}
}

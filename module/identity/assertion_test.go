package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity/identitytest"
)

var start = time.Date(2030, 1, 2, 3, 4, 5, 678e6, time.UTC)

func newKeys(t *testing.T, signsFrom ...time.Time) AssertionKeys {
	t.Helper()
	var keys []AssertionKey
	for _, at := range signsFrom {
		key, err := NewAssertionKey(at)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return NewAssertionKeys(keys)
}

func published(t *testing.T, keys AssertionKeys) []byte {
	t.Helper()
	set, err := keys.Published()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestAssertionSays(t *testing.T) {
	keys := newKeys(t, start.Add(-time.Hour))
	for name, tc := range map[string]struct {
		attributes Attributes
		want       identitytest.Claims
	}{
		"everything": {
			Attributes{
				Email: "alice@example.test", Name: `Alice "Å" <Ångström>, 太郎`, Role: Agent, Groups: []string{"ops", "a,b"},
				Organizations: []string{"Example"}, OrganizationIDs: []string{"0042"}, Tags: []string{"blue"}, Phone: "+4930123456",
				Locale: "ja", Picture: "https://example.test/a.png", ExternalID: "007", CustomRoleID: "12",
				Fields: map[string]string{"team": "kitchen", "iss": "https://evil.example", "none": ""},
			},
			identitytest.Claims{
				"email": "alice@example.test", "name": `Alice "Å" <Ångström>, 太郎`, "role": "agent", "groups": []any{"ops", "a,b"},
				"organizations": []any{"Example"}, "organization_ids": []any{"0042"}, "tags": []any{"blue"}, "phone": "+4930123456",
				"locale": "ja", "picture": "https://example.test/a.png", "external_id": "007", "custom_role_id": "12",
				"field.team": "kitchen", "field.iss": "https://evil.example",
			},
		},
		"next to nothing": {
			Attributes{Email: "bob@example.test", Role: EndUser, Groups: []string{}},
			identitytest.Claims{"email": "bob@example.test", "role": "end-user"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := Assertion{Issuer: "https://app.example.test", Audience: "wiki", Identity: Identity{Account: "id-1", Attributes: tc.attributes}}
			text, err := keys.Sign(a, start)
			if err != nil {
				t.Fatal(err)
			}
			got, err := identitytest.Verify(published(t, keys), text)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Text("jti")) < 22 { // 128 bits
				t.Errorf("jti %q", got["jti"])
			}
			for name, value := range map[string]any{
				"iss": "https://app.example.test", "aud": "wiki", "sub": "id-1", "jti": got["jti"],
				"iat": float64(start.Unix()), "exp": float64(start.Unix() + 300),
			} {
				tc.want[name] = value
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got  %v\nwant %v", got, tc.want)
			}
			again, err := keys.Sign(a, start)
			if err != nil {
				t.Fatal(err)
			}
			if other, err := identitytest.Verify(published(t, keys), again); err != nil || other["jti"] == got["jti"] {
				t.Errorf("the same jti twice: %v", err)
			}
		})
	}
}

// What was changed, or signed by another key, does not verify.
func TestAssertionForged(t *testing.T) {
	keys := newKeys(t, start)
	text, err := keys.Sign(Assertion{Issuer: "https://app.example.test", Audience: "a", Identity: Identity{Account: "1"}}, start)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(text, ".")
	flip := func(s string) string {
		return s[:10] + map[bool]string{true: "B", false: "A"}[s[10] == 'A'] + s[11:]
	}
	for name, forged := range map[string]string{
		"another payload":   parts[0] + "." + flip(parts[1]) + "." + parts[2],
		"another signature": parts[0] + "." + parts[1] + "." + flip(parts[2]),
		"no signature":      parts[0] + "." + parts[1] + ".",
	} {
		if _, err := identitytest.Verify(published(t, keys), forged); err == nil {
			t.Errorf("%s verifies", name)
		}
	}
	if _, err := identitytest.Verify(published(t, newKeys(t, start)), text); err == nil {
		t.Error("it verifies with the key of somebody else")
	}
}

func TestNothingIsSignedWithoutAKey(t *testing.T) {
	if text, err := (AssertionKeys{}).Sign(Assertion{}, start); err == nil {
		t.Errorf("signed: %s", text)
	}
}

func TestReadAssertionKey(t *testing.T) {
	key, other := newKeys(t, start)[0], newKeys(t, start)[0]
	own, err := key.Private()
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadAssertionKey(key.ID, own, start)
	if err != nil || read.ID != key.ID || !read.SignsFrom.Equal(start) || !read.private.Equal(key.private) {
		t.Fatalf("got %v, %v", read, err)
	}
	pkcs8 := func(private any, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		text, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, bad := range map[string]struct {
		id   string
		text []byte
	}{
		"under another id": {other.ID, own},
		"not a key":        {key.ID, []byte("not a key")},
		"nothing":          {key.ID, nil},
		"of another curve": {key.ID, pkcs8(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))},
		"of another kind":  {key.ID, pkcs8(rsa.GenerateKey(rand.Reader, 2048))},
	} {
		if _, err := ReadAssertionKey(bad.id, bad.text, start); err == nil || !strings.Contains(err.Error(), bad.id) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// heed does what Rotation says at now.
func heed(t *testing.T, keys AssertionKeys, now time.Time) AssertionKeys {
	t.Helper()
	due := keys.Rotation(now)
	kept := slices.DeleteFunc(slices.Clone(keys), func(k AssertionKey) bool { return slices.Contains(due.Gone, k.ID) })
	if due.Successor {
		kept = append(kept, newKeys(t, due.SignsFrom)...)
	}
	kept = NewAssertionKeys(kept)
	if again := kept.Rotation(now); again.Due() {
		t.Fatalf("%v: more to do after all was done: %+v", now, again)
	}
	return kept
}

// Looked at every half hour for a year and more: whatever is signed verifies
// with keys fetched at any time from KeysMaxAge before until it expires.
func TestKeysFollowOneAnother(t *testing.T) {
	const step = 30 * time.Minute
	has := func(keys AssertionKeys, id string) bool {
		return slices.ContainsFunc(keys, func(k AssertionKey) bool { return k.ID == id })
	}
	var keys AssertionKeys
	var before []AssertionKeys // of the last KeysMaxAge
	signer, signers, since := "", 0, time.Time{}
	for now := start; now.Before(start.Add(400 * 24 * time.Hour)); now = now.Add(step) {
		keys = heed(t, keys, now)
		signing, err := keys.at(now)
		if err != nil {
			t.Fatal(err)
		}
		if signer != "" && signing.ID != signer {
			if !has(keys, signer) {
				t.Fatalf("%v: what was signed a moment ago cannot be verified any more", now)
			}
			for _, fetched := range before {
				if !has(fetched, signing.ID) {
					t.Fatalf("%v: it signs before everybody knows it", now)
				}
			}
		}
		if signing.ID != signer {
			signer, since = signing.ID, now
			signers++
		}
		if age := now.Sub(since); age > 90*24*time.Hour {
			t.Fatalf("%v: it signs for %v", now, age)
		}
		if before = append(before, keys); len(before) > int(KeysMaxAge/step) {
			before = before[1:]
		}
		if len(keys) > 2 {
			t.Fatalf("%v: %d keys", now, len(keys))
		}
	}
	if signers != 5 { // of 90 days each
		t.Errorf("%d keys in 400 days", signers)
	}
}

// When nobody was there to make a key in time, the old one goes on until the
// new one has been published long enough.
func TestKeysAfterAYearSwitchedOff(t *testing.T) {
	keys := heed(t, nil, start)
	old := keys[0].ID
	back := start.Add(365 * 24 * time.Hour)
	keys = heed(t, keys, back)
	for at, want := range map[time.Duration]bool{0: true, KeysMaxAge + time.Minute: true, 8 * 24 * time.Hour: false} {
		if signing, _ := keys.at(back.Add(at)); (signing.ID == old) != want {
			t.Errorf("after %v: the old one signs: %v", at, !want)
		}
	}
	if keys = heed(t, keys, back.Add(8*24*time.Hour)); len(keys) != 1 || keys[0].ID == old {
		t.Errorf("%d keys are left", len(keys))
	}
}

// The clock of another machine may be late: the first key signs there all the
// same, and no second one is made.
func TestFirstKeyOnALateClock(t *testing.T) {
	keys := newKeys(t, start)
	earlier := start.Add(-90 * time.Second)
	if signing, err := keys.at(earlier); err != nil || signing.ID != keys[0].ID || keys.Rotation(earlier).Due() {
		t.Errorf("%v, %+v", err, keys.Rotation(earlier))
	}
}

func BenchmarkSign(b *testing.B) {
	key, err := NewAssertionKey(start)
	if err != nil {
		b.Fatal(err)
	}
	keys := NewAssertionKeys([]AssertionKey{key})
	a := Assertion{Issuer: "https://app.example.test", Audience: "https://app.example.test", Identity: Identity{Account: "1", Attributes: Attributes{Email: "a@example.test", Role: Admin}}}
	for b.Loop() {
		if _, err := keys.Sign(a, start); err != nil {
			b.Fatal(err)
		}
	}
}

package account

import (
	"errors"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	alice := identityOf("alice.wonder@wonderland.example.test", "Alice Liddell")
	tanaka := identityOf("t@example.jp", "田中 太郎")
	words := []string{"app.acme-works.test:8443", "Acme Works", "127.0.0.1"}
	for _, test := range []struct {
		name, password string
		minimum        int
		reason         Reason
	}{
		{"good", "seven purple umbrellas", 15, 0},
		{"no composition rules", "onlylowercaseletters", 15, 0},
		{"spaces count", "a b c d e f g h", 15, 0},
		{"exactly fifteen", "bdfhjlnprtvxzac", 15, 0},
		{"fourteen", "bdfhjlnprtvxza", 15, TooShort},
		{"eight with a second factor", "bdfhjlnp", 8, 0},
		{"seven with a second factor", "bdfhjln", 8, TooShort},
		{"empty", "", 8, TooShort},
		{"the default minimum", "bdfhjlnprtvxza", 0, TooShort},
		{"characters are counted, not bytes", "ありがとうございます", 15, TooShort},
		{"fifteen Japanese ones", "ありがとうございますまた来てね", 15, 0},
		{"counted when composed", "e\u0301o\u0301a\u0301u\u0301i\u0301e\u0300o\u0300a\u0300", 15, TooShort},
		{"1,024 bytes", strings.Repeat("seven purple umb", 64)[:1019] + "stars", 15, 0},
		{"1,025 bytes", strings.Repeat("x ", 512) + "y", 15, TooLong},
		{"invalid UTF-8", "seven purple umbrellas\xc3", 15, NotText},
		{"common", "1qaz2wsx3edc4rfv", 15, Common},
		{"common with a second factor", "sunshine", 8, Common},
		{"common in another case", "SunShine", 8, Common},
		{"common and repeated", "passwordpassword", 15, Common},
		{"two common ones", "sunshine12345678", 15, Common},
		{"a syllable, repeated", "abcabcabcabcabcabc", 15, Common},
		{"a syllable, repeated and cut off", "xyz1xyz1xyz1xyz1xy", 15, Common},
		{"one character", strings.Repeat("z", 20), 15, Common},
		{"in order", "abcdefghijklmnopqrst", 15, Common},
		{"in reverse order", "zyxwvutsrqponmlk", 15, Common},
		{"first name", "my name is alice", 15, OwnWords},
		{"family name in another case", "LIDDELL was here 99", 15, OwnWords},
		{"part of the address", "what a wonder it was", 15, OwnWords},
		{"domain of the address", "seven wonderlands", 15, OwnWords},
		{"the top-level domain is nobody's", "it was a fair test", 15, 0},
		{"the site", "acme is a good firm", 15, OwnWords},
		{"the site's host", "they say it works well", 15, OwnWords},
		{"a syllable of the host", "an apple and a pear", 15, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := judge(test.password, alice, Rules{Minimum: test.minimum, Words: words})
			var weak *Weak
			switch {
			case test.reason == 0 && err != nil:
				t.Errorf("refused: %v", err)
			case test.reason != 0 && (!errors.As(err, &weak) || weak.Reason != test.reason):
				t.Errorf("got %v, want reason %d", err, test.reason)
			case test.reason == TooShort && test.minimum > 0 && weak.Minimum != test.minimum:
				t.Errorf("minimum %d, want %d", weak.Minimum, test.minimum)
			}
		})
	}
	var weak *Weak
	if _, err := judge("ここに田中さんがいますいますか", tanaka, Rules{}); !errors.As(err, &weak) || weak.Reason != OwnWords {
		t.Errorf("a Japanese name: %v", err)
	}
}

func TestMinimumLength(t *testing.T) {
	if MinimumLength(false) != 15 || MinimumLength(true) != 8 {
		t.Error("15 alone, 8 with a second factor everywhere")
	}
}

// The list must hold what can be chosen at all: ASVS 5.0, 6.2.4 asks for 3,000
// that satisfy the policy.
func TestCommonList(t *testing.T) {
	long := 0
	for password := range commonPasswords() {
		if len(password) >= minimumAlone {
			long++
		}
		if password != strings.ToLower(password) {
			t.Errorf("%q cannot match: it is not in lower case", password)
		}
	}
	if all := len(commonPasswords()); all < 10_000 || long < 3_000 {
		t.Errorf("%d passwords, %d of them long; want 10,000 and 3,000", all, long)
	}
}

func TestRepeated(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a": "", "ab": "", "aa": "a", "abab": "ab", "ababa": "ab", "abcab": "", "abcabc": "abc",
		"aaaaab": "", "日本日本": "日本",
	} {
		if got := repeated(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

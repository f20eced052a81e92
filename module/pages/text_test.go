package pages

import (
	"strings"
	"testing"
	"unicode/utf16"
)

// TestTextMessage: phones fill the code in at the site of the last line only, and
// the message is one text message, as far as the name of the site allows.
func TestTextMessage(t *testing.T) {
	for _, test := range []struct {
		fixed, language, host, want string
		units                       int // what one message holds
	}{
		{"", "en", "app.example.com", "048213 is your passcode for app.example.com. Never tell it to anyone.\n\n@app.example.com #048213", 160},
		{"", "", "app.example.com:8443", "048213 is your passcode for app.example.com:8443. Never tell it to anyone.\n\n@app.example.com #048213", 160},
		{"", "ja", "app.example.com", "app.example.com の認証コードは 048213 です。誰にも教えないでください。\n\n@app.example.com #048213", 70},
		{"ja", "en", "app.example.com", "app.example.com の認証コードは 048213 です。誰にも教えないでください。\n\n@app.example.com #048213", 70},
	} {
		got, err := newPages(t, Brand{}, test.fixed).TextMessage(test.language, test.host, "048213")
		if err != nil || got != test.want {
			t.Errorf("%s: %q, %v, want %q", test.language, got, err, test.want)
		}
		words, _, _ := strings.Cut(got, "\n")
		if n := len(utf16.Encode([]rune(words))); n > test.units {
			t.Errorf("%s: %d units, one message holds %d", test.language, n, test.units)
		}
		if ascii := strings.Trim(got, "\n") == got && !strings.ContainsFunc(got, func(r rune) bool { return r > '~' }); test.units == 160 && !ascii {
			t.Errorf("%s: %q needs an alphabet of which a message holds 70", test.language, got)
		}
	}
}

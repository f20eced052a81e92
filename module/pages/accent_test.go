package pages

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
)

// TestShadesCanBeRead tries accents from all over sRGB, among them what brands
// like best: too pale, too dark, too bright.
func TestShadesCanBeRead(t *testing.T) {
	var accents []colour
	for r := 0; r <= 255; r += 51 {
		for g := 0; g <= 255; g += 51 {
			for b := 0; b <= 255; b += 51 {
				accents = append(accents, colour{uint8(r), uint8(g), uint8(b)})
			}
		}
	}
	for grey := 0; grey <= 255; grey += 5 {
		accents = append(accents, colour{uint8(grey), uint8(grey), uint8(grey)})
	}
	for _, s := range []string{defaultAccent, "#0b6e4f", "#ffcc00", "#e8590c", "#e30613", "#767676", "#1a1d22", "#f4f5f7"} {
		accents = append(accents, mustParse(t, s))
	}
	for _, surface := range []string{"#ffffff", lightSurface, darkSurface, "#101216"} {
		around := mustParse(t, surface)
		derived := mustParse(t, lightSurface)
		if around.luminance() < 0.18 {
			derived = mustParse(t, darkSurface)
		}
		for _, accent := range accents {
			s := shadesOn(accent, derived)
			for what, pair := range map[string][2]colour{
				"link":         {s.Link, around},
				"button":       {s.ButtonText, s.Button},
				"hover button": {s.ButtonText, s.Hover},
			} {
				if got := pair[0].contrast(pair[1]); got < textContrast {
					t.Errorf("accent %s on %s: the %s, %s on %s, has a contrast of %.2f", accent, surface, what, pair[0], pair[1], got)
				}
			}
			if got := s.ButtonEdge.contrast(around); got < edgeContrast {
				t.Errorf("accent %s on %s: the button's edge %s has a contrast of %.2f", accent, surface, s.ButtonEdge, got)
			}
		}
	}
}

// TestShadesStayTheBrands: what can be read as it is, is left as it is.
func TestShadesStayTheBrands(t *testing.T) {
	for _, accent := range []string{"#0b6e4f", "#2457c5", "#8b0000", "#000000", "#ffcc00"} {
		c := mustParse(t, accent)
		if got := shadesOn(c, mustParse(t, lightSurface)).Button; got != c {
			t.Errorf("the button of %s became %s", accent, got)
		}
	}
	// Red stays red and blue stays blue where it is made lighter.
	for accent, isHue := range map[string]func(colour) bool{
		"#7a0010": func(c colour) bool { return c.r > c.g && c.r > c.b },
		"#00107a": func(c colour) bool { return c.b > c.r && c.b > c.g },
		"#003a10": func(c colour) bool { return c.g > c.r && c.g > c.b },
	} {
		s := shadesOn(mustParse(t, accent), mustParse(t, darkSurface))
		if !isHue(s.Link) || !isHue(s.Button) {
			t.Errorf("%s became %s and %s", accent, s.Link, s.Button)
		}
	}
}

// TestBlackTurnsWhiteInTheDark instead of a grey that looks switched off.
func TestBlackTurnsWhiteInTheDark(t *testing.T) {
	s := shadesOn(black, mustParse(t, darkSurface))
	if s.Button.contrast(white) > 1.5 || s.ButtonText != black {
		t.Errorf("the button is %s on %s", s.ButtonText, s.Button)
	}
}

// TestContrast knows the answers from the definition of WCAG 2.2.
func TestContrast(t *testing.T) {
	for pair, want := range map[[2]string]float64{
		{"#000", "#fff"}:       21,
		{"#fff", "#fff"}:       1,
		{"#767676", "#ffffff"}: 4.54,
		{"#0000ff", "#ffffff"}: 8.59,
	} {
		if got := mustParse(t, pair[0]).contrast(mustParse(t, pair[1])); math.Abs(got-want) > 0.01 {
			t.Errorf("%v: %.2f, want %.2f", pair, got, want)
		}
	}
}

// TestStylesheetContrast reads the stylesheet's own colours.
func TestStylesheetContrast(t *testing.T) {
	screen, _, _ := strings.Cut(stylesheet, "@media print")
	blocks := regexp.MustCompile(`(?s)--page:.*?\}`).FindAllString(screen, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d sets of colours, want light and dark", len(blocks))
	}
	for i, scheme := range []string{"light", "dark"} {
		colours := map[string]colour{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]+);`).FindAllStringSubmatch(blocks[i], -1) {
			colours[m[1]] = mustParse(t, m[2])
		}
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"text", "page", 7}, {"text", "card", 7}, {"text", "soft", 7}, {"text", "line", 7},
			{"muted", "page", textContrast}, {"muted", "card", textContrast}, {"muted", "soft", textContrast},
			{"alert", "card", textContrast}, {"alert", "alert-back", textContrast},
			{"edge", "card", edgeContrast},
		} {
			front, back := colours[pair.front], colours[pair.back]
			if got := front.contrast(back); got < pair.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f", scheme, pair.front, pair.back, got, pair.least)
			}
		}
		surface := []string{colours["page"].String(), colours["card"].String()}[i]
		if want := []string{lightSurface, darkSurface}[i]; surface != want {
			t.Errorf("%s: shades are derived for %s, the stylesheet has %s", scheme, want, surface)
		}
	}
}

func TestParseColour(t *testing.T) {
	for s, want := range map[string]colour{
		"#fff": white, "#000000": black, "#0b6e4f": {0x0b, 0x6e, 0x4f}, "#ABC": {0xaa, 0xbb, 0xcc},
	} {
		if got, err := parseColour(s); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "red", "#ff", "#ffff", "#gggggg", "fff", "#-12345", "#+12345", "#12_456", "#fff;}", "#ééé"} {
		if got, err := parseColour(s); err == nil {
			t.Errorf("%q was taken for %v", s, got)
		} else if !strings.Contains(err.Error(), fmt.Sprintf("%q", s)) {
			t.Errorf("%q: the error does not name it: %v", s, err)
		}
	}
}

func mustParse(t *testing.T, s string) colour {
	t.Helper()
	c, err := parseColour(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

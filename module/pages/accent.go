package pages

import (
	"fmt"
	"math"
	"strconv"
)

// defaultAccent is the accent of those who picked none.
const defaultAccent = "#2457c5"

// The surfaces that shades of the accent are seen on: of the page and the card
// the one with less contrast. The stylesheet has the same values.
const (
	lightSurface = "#f4f5f7"
	darkSurface  = "#1a1d22"
)

// textContrast is the least contrast of text, edgeContrast of a button against
// what is around it (WCAG 2.2, success criteria 1.4.3 and 1.4.11).
// Thin light letters on a dark surface look fainter than the ratio says, so
// that links have more there.
const (
	textContrast     = 4.5
	darkLinkContrast = 6
	edgeContrast     = 3.0
	greyContrast     = 12
)

// shades are what one colour scheme uses of the accent.
type shades struct {
	Link       colour // links and focus rings
	Button     colour
	ButtonEdge colour // holds a pale button on a light card together
	ButtonText colour
	Hover      colour // a button under the pointer
}

// shadesOn derives the shades of an accent that can be read on a surface. The
// button stays as close to the operator's colour as contrast allows.
func shadesOn(accent, surface colour) shades {
	s := shades{Button: accent}
	if surface.luminance() < 0.18 {
		link, edge := float64(darkLinkContrast), float64(edgeContrast)
		if accent.isGrey() { // black on a dark card turns white: a grey button looks switched off
			link, edge = greyContrast, greyContrast
		}
		s.Link = accent.shifted(1, func(c colour) bool { return c.contrast(surface) >= link })
		s.Button = accent.shifted(1, func(c colour) bool { return c.contrast(surface) >= edge })
	} else {
		s.Link = accent.shifted(-1, func(c colour) bool { return c.contrast(surface) >= textContrast })
	}

	// White text if a small step towards it is enough, else black; one of the
	// two has a contrast of 4.58 with any colour.
	s.ButtonText = white
	if s.Button.contrast(white) < edgeContrast {
		s.ButtonText = black
	} else {
		s.Button = s.Button.shifted(-1, func(c colour) bool { return c.contrast(white) >= textContrast })
	}

	s.ButtonEdge = s.Button
	if s.Button.contrast(surface) < edgeContrast {
		s.ButtonEdge = s.Link
	}

	// Away from the text, so that contrast only grows, unless there is no room.
	step := -0.05
	if s.ButtonText == black {
		step = 0.05
	}
	s.Hover = s.Button.lighter(step)
	if s.Hover == s.Button || s.Button.contrast(white) > 14 && step < 0 {
		s.Hover = s.Button.lighter(-2 * step)
	}
	if s.Hover.contrast(s.ButtonText) < textContrast {
		s.Hover = s.Button
	}
	return s
}

// colour is an sRGB colour.
type colour struct{ r, g, b uint8 }

var (
	white = colour{255, 255, 255}
	black = colour{}
)

// isGrey reports whether a colour has no hue worth keeping.
func (c colour) isGrey() bool {
	return max(c.r, c.g, c.b)-min(c.r, c.g, c.b) < 24
}

// parseColour reads #rgb and #rrggbb.
func parseColour(s string) (colour, error) {
	if len(s) == 4 && s[0] == '#' {
		s = string([]byte{'#', s[1], s[1], s[2], s[2], s[3], s[3]})
	}
	if len(s) != 7 || s[0] != '#' {
		return colour{}, fmt.Errorf("%q is not a colour: write #rgb or #rrggbb", s)
	}
	n, err := strconv.ParseUint(s[1:], 16, 24)
	if err != nil {
		return colour{}, fmt.Errorf("%q is not a colour: write #rgb or #rrggbb", s)
	}
	return colour{uint8(n >> 16), uint8(n >> 8), uint8(n)}, nil
}

func (c colour) String() string { return fmt.Sprintf("#%02x%02x%02x", c.r, c.g, c.b) }

// linear returns the components without sRGB's transfer function.
func (c colour) linear() (r, g, b float64) {
	f := func(v uint8) float64 {
		x := float64(v) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return f(c.r), f(c.g), f(c.b)
}

// luminance is the relative luminance of WCAG 2.2.
func (c colour) luminance() float64 {
	r, g, b := c.linear()
	return 0.2126*r + 0.7152*g + 0.0722*b
}

// contrast is the contrast ratio of WCAG 2.2, 1 to 21.
func (c colour) contrast(other colour) float64 {
	a, b := c.luminance(), other.luminance()
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// shifted is c, or the first colour that is enough on the way to black
// (direction -1) or white (1), in steps too small to see.
func (c colour) shifted(direction float64, enough func(colour) bool) colour {
	for step := 0.0; step <= 1; step += 0.005 {
		if shade := c.lighter(direction * step); enough(shade) {
			return shade
		}
	}
	if direction < 0 {
		return black
	}
	return white
}

// lighter moves the lightness in Oklab (https://bottosson.github.io/posts/oklab/),
// in which that keeps the hue, and gives up chroma where sRGB has none.
func (c colour) lighter(by float64) colour {
	if by == 0 {
		return c
	}
	r, g, b := c.linear()
	l := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	m := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	s := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	lightness := 0.2104542553*l + 0.7936177850*m - 0.0040720468*s
	x := 1.9779984951*l - 2.4285922050*m + 0.4505937099*s
	y := 0.0259040371*l + 0.7827717662*m - 0.8086757660*s

	lightness = min(1, max(0, lightness+by))
	for chroma := 1.0; chroma > 0; chroma -= 0.02 {
		if shade, ok := fromOklab(lightness, chroma*x, chroma*y); ok {
			return shade
		}
	}
	shade, _ := fromOklab(lightness, 0, 0)
	return shade
}

// fromOklab reports whether sRGB has the colour; if not, it is clipped.
func fromOklab(lightness, x, y float64) (colour, bool) {
	l := lightness + 0.3963377774*x + 0.2158037573*y
	m := lightness - 0.1055613458*x - 0.0638541728*y
	s := lightness - 0.0894841775*x - 1.2914855480*y
	l, m, s = l*l*l, m*m*m, s*s*s
	ok := true
	f := func(v float64) uint8 {
		if v < -1e-4 || v > 1+1e-4 {
			ok = false
		}
		v = min(1, max(0, v))
		if v <= 0.0031308 {
			v *= 12.92
		} else {
			v = 1.055*math.Pow(v, 1/2.4) - 0.055
		}
		return uint8(math.Round(v * 255))
	}
	c := colour{
		r: f(4.0767416621*l - 3.3077115913*m + 0.2309699292*s),
		g: f(-1.2684380046*l + 2.6097574011*m - 0.3413193965*s),
		b: f(-0.0041960863*l - 0.7034186147*m + 1.7076147010*s),
	}
	return c, ok
}

package pages

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
)

// Brand is how the pages show whose they are. Placeholders {env.NAME} and
// {file.PATH} are resolved when the configuration is loaded.
type Brand struct {
	// Name of the company or product, shown on every page; at most 80
	// characters. Default: the host name of the site.
	Name string `json:"name,omitempty"`

	// Logo is the path of an image file (SVG, PNG, JPEG or WebP). Relative
	// paths are relative to Caddy's working directory. Default: none.
	Logo string `json:"logo,omitempty"`

	// Accent is a CSS hexadecimal colour (#rgb or #rrggbb). Shades with
	// enough contrast in light and dark are derived from it.
	// Default: a calm blue.
	Accent string `json:"accent,omitempty"`
}

// MaxBrandName is how many characters the name may have: what fits the card
// on a phone in two lines.
const MaxBrandName = 80

var (
	accentPattern = regexp.MustCompile(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`)
	logoTypes     = []string{".svg", ".png", ".jpg", ".jpeg", ".webp"}
)

// Validate reports what is wrong with b. It does not read the logo: New does.
func (b Brand) Validate() (wrong mistake.List) {
	if utf8.RuneCountInString(b.Name) > MaxBrandName {
		wrong.Addf("name", "is longer than %d characters", MaxBrandName)
	}
	if strings.ContainsFunc(b.Name, unicode.IsControl) {
		wrong.Addf("name", "has a line break or another control character in it")
	}
	if b.Logo != "" && !slices.Contains(logoTypes, strings.ToLower(filepath.Ext(b.Logo))) {
		wrong.Addf("logo", "%q is not an image the pages can show: use an .svg, .png, .jpg or .webp file", b.Logo)
	}
	if b.Accent != "" && !accentPattern.MatchString(b.Accent) {
		wrong.Addf("accent", "%q is not a colour: write #rgb or #rrggbb with hexadecimal digits, in quotes", b.Accent)
	}
	return wrong
}

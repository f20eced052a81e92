package pages

// Brand is how the pages show whose they are.
type Brand struct {
	// Name of the company or product, shown on every page. Default: the
	// host name of the site.
	Name string `json:"name,omitempty"`

	// Logo is the path of an image file (SVG, PNG, JPEG or WebP). Default: none.
	Logo string `json:"logo,omitempty"`

	// Accent is a CSS hexadecimal colour (#rgb or #rrggbb). Shades with
	// enough contrast in light and dark are derived from it.
	// Default: a calm blue.
	Accent string `json:"accent,omitempty"`
}

package policy

import (
	"path"
	"strings"
	"unicode/utf8"
)

// Path is a request's path as rules see it.
type Path struct {
	// Clean is the decoded path without dot segments and doubled slashes,
	// as Caddy's own path matcher cleans it: a slash at the end stays. It
	// always begins with a slash.
	Clean string

	// Ambiguous says that Clean is not the only way to read the path: some
	// app behind the gateway could take it for another one. Such a path is
	// never public, and no request for it is passed on where several
	// audiences share a site.
	Ambiguous bool
}

// ReadPath reads the path of a request: raw as it was sent, decoded with
// percent-encoding taken away (url.URL.Path).
//
// A path is ambiguous if it has dot segments, also with blanks, "?" or "#" after
// the dots, or doubled slashes; if it has a backslash, a semicolon (some servers cut off
// what follows), a control character, a percent-encoding that is still there
// after decoding, or bytes that are not UTF-8; if encoding hides a slash or a
// character that nobody has to encode; or if it does not begin with a slash at
// all.
func ReadPath(raw, decoded string) Path {
	if isPlain(decoded) || isUnequivocal(decoded) {
		return Path{Clean: decoded, Ambiguous: raw != decoded && hides(raw)}
	}
	return Path{Clean: clean(decoded), Ambiguous: true}
}

// clean does what caddyhttp.CleanPath does when it collapses slashes, and puts
// a slash in front of a path that has none.
func clean(decoded string) string {
	cleaned := path.Clean("/" + decoded)
	if cleaned != "/" && strings.HasSuffix(decoded, "/") {
		cleaned += "/"
	}
	return cleaned
}

// isPlain is isUnequivocal for the usual path, in one pass over its bytes: it
// may say no where isUnequivocal says yes.
func isPlain(decoded string) bool {
	if decoded == "" || decoded[0] != '/' {
		return false
	}
	for i := 0; i < len(decoded); i++ {
		switch c := decoded[i]; {
		case c == '/':
			if i+1 < len(decoded) && (decoded[i+1] == '/' || decoded[i+1] == '.' && endsDots(decoded[i+1:])) {
				return false
			}
		case c <= ' ', c >= 0x7f, c == '\\', c == ';', c == '%':
			return false
		}
	}
	return true
}

// isUnequivocal reports whether decoded is its own clean form and reads one way
// only.
func isUnequivocal(decoded string) bool {
	if decoded == "" || decoded[0] != '/' || !utf8.ValidString(decoded) {
		return false
	}
	for i, c := range decoded {
		switch {
		case c == '/':
			if strings.HasPrefix(decoded[i+1:], "/") || endsDots(decoded[i+1:]) {
				return false
			}
		case c < ' ', c >= 0x7f && c < 0xa0, c == '\\', c == ';':
			return false
		case c == '%' && i+2 < len(decoded) && isHex(decoded[i+1]) && isHex(decoded[i+2]):
			return false
		}
	}
	return true
}

// endsDots reports whether rest begins with a segment that is "." or "..", or
// that with blanks after it, which Windows drops, or with what an app may take
// for the beginning of a query or a fragment.
func endsDots(rest string) bool {
	dots := 0
	for dots < len(rest) && rest[dots] == '.' {
		dots++
	}
	end := dots
	for end < len(rest) && rest[end] == ' ' {
		end++
	}
	return (dots == 1 || dots == 2) && (end == len(rest) || strings.IndexByte("/?#", rest[end]) >= 0)
}

// hides reports whether raw encodes what need not be encoded: a slash, or an
// unreserved character (RFC 3986, section 2.3). The other characters that must
// not hide are seen in the decoded path.
func hides(raw string) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '%' {
			continue
		}
		if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
			return true // net/url lets none of these through
		}
		if c := unhex(raw[i+1])<<4 | unhex(raw[i+2]); c == '/' || isUnreserved(c) {
			return true
		}
		i += 2
	}
	return false
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}

package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxReturnTo is how long an address to return to may be, in bytes.
const maxReturnTo = 1024

// What may stand in an address as it is, beside the unreserved characters: what
// RFC 3986 allows there, and what browsers send without encoding it.
const (
	pathCharacters  = "/!$&'()*+,;=:@%[]|"
	queryCharacters = pathCharacters + "?`{}^\\"
)

// ReturnTo returns the path and query of this site to which raw leads, or "/"
// if raw is not plainly one. raw comes from the client; what is returned may be
// put into a Location header as it is. origin is the site's own; raw may begin
// with it.
//
// Browsers follow the WHATWG URL rules, which net/url does not: they drop tabs
// and newlines, take a backslash for a slash, and resolve encoded dots. Whatever
// would be moved by these rules is not plain. A fragment is dropped.
func ReturnTo(raw, origin string) string {
	if len(raw) > maxReturnTo {
		return "/"
	}
	if rest, ok := strings.CutPrefix(raw, origin); ok && origin != "" {
		raw = rest
		if raw == "" || raw[0] == '?' {
			raw = "/" + raw
		}
	}
	raw, _, _ = strings.Cut(raw, "#")
	where, query, hasQuery := strings.Cut(raw, "?")
	if !isPlainPath(where) || isGatewayStep(where) || strings.HasSuffix(raw, " ") {
		return "/"
	}

	var b strings.Builder
	b.Grow(len(raw))
	ok := appendEncoded(&b, where, pathCharacters)
	if hasQuery {
		b.WriteByte('?')
		ok = ok && appendEncoded(&b, query, queryCharacters)
	}
	if !ok || b.Len() > maxReturnTo {
		return "/"
	}
	return b.String()
}

// isPlainPath reports whether browsers take where for a path from the root of
// this site, as it stands, and so does everything behind the gateway.
func isPlainPath(where string) bool {
	if where == "" || where[0] != '/' || strings.HasPrefix(where, "//") {
		return false
	}
	for i := 0; i < len(where); i++ {
		if where[i] == '\\' {
			return false
		}
		if where[i] != '%' {
			continue
		}
		if i+2 >= len(where) || !isHex(where[i+1]) || !isHex(where[i+2]) {
			return false
		}
		switch c := unhex(where[i+1])<<4 | unhex(where[i+2]); {
		case c < ' ', c == 0x7f, c == '\\':
			return false
		case c == '/' && i == 1:
			return false // an app that decodes it would read //
		}
	}
	for segment := range strings.SplitSeq(decodeUnreserved(where), "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// isGatewayStep reports whether where is one of the gateway's own addresses
// that make no sense as a place to go after signing in: signing out at once, or
// round in a circle. The person's own page and the console are places to go.
func isGatewayStep(where string) bool {
	rest, ok := belowGateway(where)
	if !ok {
		return false
	}
	page, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	return page != "account" && page != "admin"
}

// decodeUnreserved decodes what need not have been encoded, and slashes.
func decodeUnreserved(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			if c := unhex(s[i+1])<<4 | unhex(s[i+2]); isUnreserved(c) || c == '/' {
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// appendEncoded writes part with the characters that may stand there as they
// are and the others percent-encoded, as browsers do. It is false for what
// nobody can see and for what is not UTF-8.
func appendEncoded(b *strings.Builder, part, allowed string) bool {
	for i, r := range part {
		switch {
		case r < utf8.RuneSelf && (isUnreserved(byte(r)) || strings.IndexByte(allowed, byte(r)) >= 0):
			b.WriteByte(byte(r))
		case r == utf8.RuneError && !strings.HasPrefix(part[i:], "\uFFFD"), !unicode.IsPrint(r):
			return false
		default:
			for _, c := range []byte(string(r)) {
				b.WriteByte('%')
				b.WriteByte("0123456789ABCDEF"[c>>4])
				b.WriteByte("0123456789ABCDEF"[c&15])
			}
		}
	}
	return true
}

package policy

import (
	"fmt"
	"strings"
)

// address is an address as a browser sees it.
type address struct {
	origin string // "" for what is not http or https
	path   string
	query  string // with its question mark
}

// parseWHATWG reads an address on a page of base, an origin, as far as the URL
// standard (https://url.spec.whatwg.org/#url-parsing) matters for where a
// browser goes. It is written from the standard and shares nothing with what
// it is the measure of.
func parseWHATWG(text, base string) address {
	// Leading and trailing C0 controls and spaces go, tabs and newlines too.
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	text = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(text)
	text, _, _ = strings.Cut(text, "#")

	baseScheme, _, _ := strings.Cut(base, ":")
	scheme, rest := "", text
	if colon := strings.IndexByte(text, ':'); colon > 0 && isAlpha(text[0]) &&
		strings.Trim(strings.ToLower(text[:colon]), "abcdefghijklmnopqrstuvwxyz0123456789+-.") == "" {
		scheme, rest = strings.ToLower(text[:colon]), text[colon+1:]
	}
	switch scheme {
	case "": // relative
	case baseScheme:
		if !strings.HasPrefix(rest, "//") {
			scheme = "" // "https:x" is relative to a page of https
		}
	case "http", "https":
	default:
		return address{}
	}

	origin := base
	if scheme != "" || len(rest) >= 2 && isSlash(rest[0]) && isSlash(rest[1]) {
		// Any number of slashes and backslashes, then the authority.
		for rest != "" && isSlash(rest[0]) {
			rest = rest[1:]
		}
		end := strings.IndexAny(rest, `/\?`)
		if end < 0 {
			end = len(rest)
		}
		host := rest[:end]
		host = host[strings.LastIndexByte(host, '@')+1:]
		if scheme == "" {
			scheme = baseScheme
		}
		host = strings.ToLower(host)
		if scheme == "https" {
			host = strings.TrimSuffix(host, ":443")
		} else {
			host = strings.TrimSuffix(host, ":80")
		}
		origin, rest = scheme+"://"+host, rest[end:]
	}

	where, query, hasQuery := strings.Cut(rest, "?")
	read := address{origin: origin, path: "/" + strings.Join(resolveDots(where), "/")}
	if hasQuery {
		read.query = "?" + percentEncode(query, "\"#<>'")
	}
	return read
}

// resolveDots splits a path at slashes and backslashes and resolves dot
// segments, encoded ones too.
func resolveDots(where string) []string {
	where = strings.ReplaceAll(where, `\`, "/")
	parts := strings.Split(strings.TrimPrefix(where, "/"), "/")
	path := []string{}
	for i, part := range parts {
		last := i == len(parts)-1
		switch strings.ReplaceAll(strings.ToLower(part), "%2e", ".") {
		case "..":
			path = path[:max(len(path)-1, 0)]
			if last {
				path = append(path, "")
			}
		case ".":
			if last {
				path = append(path, "")
			}
		default:
			path = append(path, percentEncode(part, "\"#<>?^`{}"))
		}
	}
	return path
}

func percentEncode(s, set string) string {
	var b strings.Builder
	for _, c := range []byte(strings.ToValidUTF8(s, "\uFFFD")) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(set, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isSlash(c byte) bool { return c == '/' || c == '\\' }

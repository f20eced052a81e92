package session

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// Names of the gateway's cookies, before the prefix that a secure origin adds.
// On plain HTTP, which is spoken on loopback only, they stand as they are.
const (
	// CookieName is the session's cookie.
	CookieName = "auth_gateway"
	// FlowCookiePrefix begins the names of the cookies of sign-ins under way.
	FlowCookiePrefix = "auth_gateway_flow_"
	// DeviceCookieName is the cookie of a known browser.
	DeviceCookieName = "auth_gateway_device"

	hostPrefix = "__Host-"
)

// FullCookieName is the name as the browser knows it. With the prefix __Host-
// no other host and no other path can set or overwrite the cookie
// (RFC 6265bis, section 4.1.3.2).
func FullCookieName(name string, secure bool) string {
	if secure {
		return hostPrefix + name
	}
	return name
}

// SetCookie sets one of the gateway's cookies. A lifetime of zero keeps it
// until the browser closes, a negative one removes it.
func SetCookie(w http.ResponseWriter, name, value string, secure bool, lifetime time.Duration) {
	maxAge := int(lifetime / time.Second)
	if lifetime < 0 {
		maxAge = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name:     FullCookieName(name, secure),
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		Secure:   secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
}

// ReadCookie returns the value of the cookie of that full name, without
// allocating. A cookie that is there twice with different values is not ours
// alone to set, so it counts as absent.
func ReadCookie(header http.Header, fullName string) string {
	found := ""
	for _, line := range header["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			name, value, _ := strings.Cut(textproto.TrimString(pair), "=")
			if name != fullName || value == "" {
				continue
			}
			if found != "" && found != value {
				return ""
			}
			found = value
		}
	}
	return found
}

// maxNames is how many names CookieNames lists: more than a browser ever holds
// of ours.
const maxNames = 32

// CookieNames lists the names of the gateway's cookies in the request that
// begin with prefix, a full name: each once, and no more than a browser ever
// holds, because what is done for each of them costs a look at all.
func CookieNames(header http.Header, prefix string) []string {
	var names []string
	for _, line := range header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(textproto.TrimString(pair), "=")
			if !strings.HasPrefix(name, prefix) || slices.Contains(names, name) {
				continue
			}
			if names = append(names, name); len(names) == maxNames {
				return names
			}
		}
	}
	return names
}

// StripCookies removes every cookie of the gateway from the request, so that
// the app never sees one, and leaves the app's own as they were.
func StripCookies(header http.Header) {
	lines := header["Cookie"]
	if !holdsOurs(lines) {
		return
	}
	kept := lines[:0]
	for _, line := range lines {
		if rest := withoutOurs(line); rest != "" {
			kept = append(kept, rest)
		}
	}
	if len(kept) == 0 {
		delete(header, "Cookie")
		return
	}
	header["Cookie"] = kept
}

// withoutOurs returns a line of cookies without ours. As long as what stays
// lies together it is a part of the line, so that nothing is allocated.
func withoutOurs(line string) string {
	var joined strings.Builder // what stays, where it does not lie together
	part, begins, ends := "", -1, 0
	keep := func() {
		if begins < 0 {
			return
		}
		if part != "" {
			if joined.Len() == 0 {
				joined.WriteString(part)
			}
			joined.WriteString("; ")
			joined.WriteString(line[begins:ends])
		}
		part, begins = line[begins:ends], -1
	}
	for start := 0; start < len(line); {
		stop := start + strings.IndexByte(line[start:], ';')
		if stop < start {
			stop = len(line)
		}
		pair := textproto.TrimString(line[start:stop]) // as net/http does
		if name, _, _ := strings.Cut(pair, "="); pair == "" || isOurs(name) {
			keep()
		} else {
			if begins < 0 {
				begins = start + strings.Index(line[start:stop], pair)
			}
			ends = stop
		}
		start = stop + 1
	}
	keep()
	if joined.Len() > 0 {
		part = joined.String()
	}
	return textproto.TrimString(part)
}

func holdsOurs(lines []string) bool {
	for _, line := range lines {
		if strings.Contains(line, CookieName) {
			return true
		}
	}
	return false
}

func isOurs(name string) bool {
	name = strings.TrimSpace(name)
	name = strings.TrimPrefix(name, hostPrefix)
	rest, ok := strings.CutPrefix(name, CookieName)
	return ok && (rest == "" || rest[0] == '_')
}

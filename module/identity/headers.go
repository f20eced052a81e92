package identity

import (
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// The presets of identity headers.
const (
	PresetRemote       = "remote"
	PresetXForwarded   = "x_forwarded"
	PresetXAuthRequest = "x_auth_request"
	PresetNone         = "none"
)

// What stands in a table of headers beside the names of attributes.
const (
	sourceAccount = "account" // the account's own id
	sourceMember  = "member"  // role and groups
)

// header is an identity header and what it says.
type header struct {
	name   string // in canonical form
	source string // name of an attribute, or one of the above
}

// presets are the identity headers of each preset. Remote also has a
// Remote-Field-<Key> for every field.
var presets = map[string][]header{
	PresetRemote: {
		{"Remote-User", "email"},
		{"Remote-Id", sourceAccount},
		{"Remote-Email", "email"},
		{"Remote-Name", "name"},
		{"Remote-Role", "role"},
		{"Remote-Groups", sourceMember},
		{"Remote-Organizations", "organizations"},
		{"Remote-Organization-Ids", "organization_ids"},
		{"Remote-Tags", "tags"},
		{"Remote-Phone", "phone"},
		{"Remote-Locale", "locale"},
		{"Remote-Picture", "picture"},
		{"Remote-External-Id", "external_id"},
	},
	PresetXForwarded: {
		{"X-Forwarded-User", "email"},
		{"X-Forwarded-Email", "email"},
		{"X-Forwarded-Preferred-Username", "name"},
		{"X-Forwarded-Groups", sourceMember},
	},
	PresetXAuthRequest: {
		{"X-Auth-Request-User", "email"},
		{"X-Auth-Request-Email", "email"},
		{"X-Auth-Request-Preferred-Username", "name"},
		{"X-Auth-Request-Groups", sourceMember},
	},
	PresetNone: nil,
}

// maxHeaderName is how long the name of a header may be that is configured.
const maxHeaderName = 100

// fieldHeader is what the headers of fields begin with.
const fieldHeader = "Remote-Field-"

// Headers are the identity headers of one site: which are sent, and which must
// not come from anywhere else. It never changes after NewHeaders.
type Headers struct {
	sent   []header
	fields bool // whether a header is sent for every field

	names map[string]struct{} // what Strip removes, folded
	// What few other headers have in common with names: the first byte, in
	// either case, and the last one for the length.
	first [256]bool
	lasts [maxHeaderName + 1]uint32
}

// NewHeaders returns the identity headers of a preset ("" stands for remote)
// and those added to it, header name to attribute.
func NewHeaders(preset string, extra map[string]string) (*Headers, error) {
	if preset == "" {
		preset = PresetRemote
	}
	sent, ok := presets[preset]
	if !ok {
		return nil, fmt.Errorf("unknown headers %q: use remote, x_forwarded, x_auth_request or none", preset)
	}
	h := &Headers{sent: slices.Clone(sent), fields: preset == PresetRemote, names: make(map[string]struct{})}
	taken := make(map[string]string)
	for _, one := range sent {
		taken[foldName(one.name)] = one.name
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if err := ValidateHeaderName(name); err != nil {
			return nil, err
		}
		if err := ParseAttribute(extra[name]); err != nil {
			return nil, fmt.Errorf("header %s: %w", name, err)
		}
		key := foldName(name)
		if other, ok := taken[key]; ok {
			return nil, fmt.Errorf("header %s: %s is sent already: choose another name", name, other)
		}
		if h.fields && strings.HasPrefix(key, foldName(fieldHeader)) {
			return nil, fmt.Errorf("header %s: %s<Key> is sent for every field already: choose another name", name, fieldHeader)
		}
		taken[key] = name
		h.sent = append(h.sent, header{textproto.CanonicalMIMEHeaderKey(name), extra[name]})
	}

	for _, preset := range presets {
		for _, one := range preset {
			h.forbid(one.name)
		}
	}
	for _, one := range h.sent {
		h.forbid(one.name)
	}
	h.forbid(AssertionHeader)
	for _, name := range otherPaths {
		h.forbid(name)
	}
	return h, nil
}

// forbid has Strip remove a header.
func (h *Headers) forbid(name string) {
	key := foldName(name)
	h.names[key] = struct{}{}
	h.lasts[len(key)] |= lastBit(key)
	h.first[key[0]] = true
	if 'a' <= key[0] && key[0] <= 'z' {
		h.first[key[0]-'a'+'A'] = true
	}
}

// lastBit is a bit for the last byte of a name, the same in every spelling.
func lastBit(name string) uint32 { return 1 << (foldByte(name[len(name)-1]) & 31) }

// reserved are headers that mean something to servers and proxies, folded.
var reserved = []string{
	// Hop by hop: proxies remove them.
	"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
	"te", "trailer", "transfer-encoding", "upgrade", "http2-settings",
	// What the request itself is about.
	"host", "expect", "range", "date", "origin", "referer", "user-agent", "cache-control", "pragma",
	"cookie", "set-cookie", "authorization", "www-authenticate", "early-data", "priority",
	"x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url",
	"proxy", // becomes HTTP_PROXY in CGI
	// Where it came from.
	"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port",
	"x-real-ip", "client-ip", "true-client-ip",
	// The gateway's own.
	"x-auth-gateway-assertion",
}

// otherPaths are headers by which some frameworks let a proxy name the path they
// serve, in place of the one in the request. The gateway judges the request's,
// so nobody else gets to name one; a proxy behind the gateway still may.
var otherPaths = []string{"X-Original-Url", "X-Rewrite-Url"}

// reservedPrefixes are what families of such headers begin with.
var reservedPrefixes = []string{"content-", "accept-", "if-", "sec-", "proxy-", "access-control-"}

// ValidateHeaderName reports why a header cannot carry an attribute.
func ValidateHeaderName(name string) error {
	if name == "" || len(name) > maxHeaderName {
		return fmt.Errorf("header %q: a header's name has 1 to %d characters", name, maxHeaderName)
	}
	for _, c := range []byte(name) {
		if !isAlphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return fmt.Errorf("header %q: a header's name has letters, digits and - only", name)
		}
	}
	key := foldName(name)
	if key[0] == '-' {
		return fmt.Errorf("header %s: a header's name begins with a letter or digit", name)
	}
	if slices.Contains(reserved, key) || key == "accept" || slices.ContainsFunc(reservedPrefixes, func(prefix string) bool {
		return strings.HasPrefix(key, prefix)
	}) {
		return fmt.Errorf("header %s: means something to servers and proxies: choose another name", name)
	}
	return nil
}

// Set puts the rendered identity headers on a request, from which Strip has
// removed what came with it. Nothing that is done to the request afterwards
// can be seen in another one.
func (h *Headers) Set(header http.Header, rendered Rendered) {
	values := make([]string, len(rendered.headers))
	for i, one := range rendered.headers {
		values[i] = one.value
		header[one.name] = values[i : i+1 : i+1]
	}
}

// foldName returns a header's name in the form in which all spellings are the
// same that some app takes for the same: CGI and its kin make an underscore of
// whatever is neither a letter nor a digit.
func foldName(name string) string {
	return string(appendFoldedName(nil, name))
}

func appendFoldedName(to []byte, name string) []byte {
	for i := range len(name) {
		to = append(to, foldByte(name[i]))
	}
	return to
}

func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case !isAlphanumeric(c):
		return '-'
	}
	return c
}

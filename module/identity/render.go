package identity

import (
	"encoding/base64"
	"maps"
	"mime"
	"net/textproto"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rendered are the identity headers of one identity, ready to be set on any
// number of requests. The zero value sets none.
type Rendered struct {
	headers []rendered
}

type rendered struct{ name, value string }

// Len is how many headers there are.
func (r Rendered) Len() int { return len(r.headers) }

// Render makes the identity headers of an identity, which is done once for
// each session and site. An attribute without a value has no header. leftOut
// names the attributes of which something could not be said: a value with a
// control character, a list's value with a comma, or a field whose name makes
// no header of its own. That is to be logged.
func (h *Headers) Render(id Identity) (rd Rendered, leftOut []string) {
	for _, one := range h.sent {
		value, whole := h.value(&id, one.source)
		if value != "" {
			rd.headers = append(rd.headers, rendered{one.name, value})
		}
		if !whole {
			leftOut = append(leftOut, one.source)
		}
	}
	if h.fields {
		taken := make(map[string]bool, len(id.Fields))
		for _, key := range slices.Sorted(maps.Keys(id.Fields)) {
			name := textproto.CanonicalMIMEHeaderKey(fieldHeader + strings.ReplaceAll(key, "_", "-"))
			value, whole := encode(id.Fields[key])
			if ParseFieldKey(key) != nil || taken[name] || !whole {
				leftOut = append(leftOut, fieldPrefix+key)
				continue
			}
			if value != "" {
				taken[name] = true
				rd.headers = append(rd.headers, rendered{name, value})
			}
		}
	}
	for i, source := range leftOut {
		if source == sourceMember {
			leftOut[i] = "groups"
		}
	}
	slices.Sort(leftOut)
	return rd, slices.Compact(leftOut)
}

// value is what a header says. whole is false if something of it was left out.
func (h *Headers) value(id *Identity, source string) (value string, whole bool) {
	switch source {
	case sourceAccount:
		return encode(id.Account)
	case sourceMember:
		members := make([]string, 0, 1+len(id.Groups))
		if id.Role != "" {
			members = append(members, string(id.Role))
		}
		for _, group := range id.Groups {
			if group != string(id.Role) {
				members = append(members, group)
			}
		}
		return encodeList(members)
	}
	one, list := id.Get(source)
	if list != nil {
		return encodeList(list)
	}
	return encode(one)
}

// encodeList joins the values of a list with commas, each encoded by itself. A
// value that would fall apart at a comma of its own is left out.
func encodeList(values []string) (list string, whole bool) {
	whole = true
	kept := make([]string, 0, len(values))
	for _, value := range values {
		encoded, ok := encode(value)
		if !ok || strings.Contains(value, ",") {
			whole = false
			continue
		}
		if encoded != "" {
			kept = append(kept, encoded)
		}
	}
	return strings.Join(kept, ","), whole
}

// encode returns a value as it may stand in a header: as it is if it is plain
// ASCII, otherwise as encoded words (RFC 2047), and so also what would read as
// an encoded word. Control characters and what is not UTF-8 are not ok.
func encode(value string) (encoded string, ok bool) {
	value = strings.TrimSpace(value)
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return "", false
	}
	if strings.Contains(value, "=?") {
		return encodeAll(value), true
	}
	// Whichever is shorter: Q for words with an accent here and there, B for
	// whole alphabets. Both leave plain ASCII alone.
	q, b := mime.QEncoding.Encode("utf-8", value), mime.BEncoding.Encode("utf-8", value)
	if len(b) < len(q) {
		return b, true
	}
	return q, true
}

// encodeAll makes encoded words also of what package mime takes for plain.
func encodeAll(value string) string {
	const most = 45 // bytes a word: 60 in base64, with the frame below 75
	var words []string
	for value != "" {
		n := min(len(value), most)
		for n < len(value) && !utf8.RuneStart(value[n]) {
			n--
		}
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(value[:n]))+"?=")
		value = value[n:]
	}
	return strings.Join(words, " ")
}

package account

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

//go:embed common/passwords.txt.gz
var commonFile []byte

// commonPasswords is read when the first new password is judged.
var commonPasswords = sync.OnceValue(func() map[string]struct{} {
	text, err := unpack(commonFile)
	if err != nil {
		panic("account: the embedded list of common passwords is damaged: " + err.Error())
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	set := make(map[string]struct{}, len(lines))
	for _, line := range lines {
		set[line] = struct{}{}
	}
	return set
})

func unpack(packed []byte) (string, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	return string(text), err
}

// maxSyllable is the longest piece that makes a common password by being
// repeated, even if the piece is on no list.
const maxSyllable = 4

// isCommon reports whether a password, in lower case, is on the list, or is
// derived from it in the ways that are tried first: two of its entries one
// after the other, one repeated, or characters that follow one another.
func isCommon(folded string) bool {
	list := commonPasswords()
	listed := func(s string) bool { _, ok := list[s]; return ok }
	if listed(folded) || isSequence(folded) {
		return true
	}
	if piece := repeated(folded); piece != "" && (utf8.RuneCountInString(piece) <= maxSyllable || listed(piece)) {
		return true
	}
	for i := range folded {
		if listed(folded[:i]) && (listed(folded[i:]) || isSequence(folded[i:])) {
			return true
		}
	}
	return false
}

// repeated returns the shortest piece of which s is a repetition (the last one
// may be cut short), or "".
func repeated(s string) string {
	// The border table of Knuth, Morris and Pratt: what s and its own end
	// have in common.
	border := make([]int, len(s)+1)
	border[0] = -1
	for i, k := 0, -1; i < len(s); {
		for k >= 0 && s[i] != s[k] {
			k = border[k]
		}
		i, k = i+1, k+1
		border[i] = k
	}
	if period := len(s) - border[len(s)]; 2*period <= len(s) {
		return s[:period]
	}
	return ""
}

// isSequence reports whether each character is the one after, the one before,
// or the same as the one in front of it throughout: 123456, fedcba, aaaa.
func isSequence(s string) bool {
	runes := []rune(s)
	if len(runes) < 2 {
		return true
	}
	step := runes[1] - runes[0]
	if step < -1 || step > 1 {
		return false
	}
	for i := range runes[1:] {
		if runes[i+1]-runes[i] != step {
			return false
		}
	}
	return true
}

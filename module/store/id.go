package store

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
)

// NewID returns 128 random bits as 26 characters of lower-case base32: the id
// of an account or a factor. It is never made twice.
func NewID() string {
	var random [16]byte
	rand.Read(random[:]) // never fails, see its documentation
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:]))
}

package account

import (
	"crypto/sha256"
	"strings"
)

const (
	recoveryCodes    = 10
	recoveryCodeSize = 10 // bytes, that is 80 bits
)

// newRecoveryCodes returns codes as they are shown, xxxx-xxxx-xxxx-xxxx, and
// the hashes under which they are kept.
func newRecoveryCodes(accountID string) (codes []string, hashes [][]byte) {
	for range recoveryCodes {
		code := strings.ToLower(typedEncoding.EncodeToString(randomBytes(recoveryCodeSize)))
		codes = append(codes, groups(code, "-"))
		hashes = append(hashes, recoveryHash(accountID, code))
	}
	return codes, hashes
}

// recoveryHash binds a code to its account. Codes have enough randomness that
// a plain hash keeps them secret.
func recoveryHash(accountID, code string) []byte {
	sum := sha256.Sum256([]byte("recovery code/" + accountID + "/" + code))
	return sum[:]
}

// LooksLikeRecoveryCode reports whether what was typed has the form of a
// recovery code, in any case, with or without spaces and hyphens.
func LooksLikeRecoveryCode(code string) bool {
	_, ok := recoveryCode(code)
	return ok
}

func recoveryCode(typed string) (string, bool) {
	code := strings.ToLower(typedCode(typed))
	if len(code) != typedEncoding.EncodedLen(recoveryCodeSize) {
		return "", false
	}
	_, err := typedEncoding.DecodeString(strings.ToUpper(code))
	return code, err == nil
}

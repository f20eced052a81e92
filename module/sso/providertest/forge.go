package providertest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// Forge returns a JWT with that header and signature, whatever they are worth.
// The header is JSON.
func Forge(header string, claims map[string]any, signature []byte) string {
	return signingInput(header, claims) + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// ForgeHS256 returns a JWT signed with a symmetric key of any length.
func ForgeHS256(key []byte, claims map[string]any) string {
	const header = `{"alg":"HS256","typ":"JWT"}`
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signingInput(header, claims)))
	return Forge(header, claims, mac.Sum(nil))
}

func signingInput(header string, claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode(payload)
}

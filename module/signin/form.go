package signin

import (
	"crypto/hmac"
	"net/http"
	"net/url"

	"github.com/auth-gateway/caddy-auth-gateway/module/form"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// readForm reads the posted form, or answers and returns false.
func (x *exchange) readForm() bool {
	refusal := form.Read(x.w, x.r, x.visit, func(flow string) bool { return x.ownForm(flow) || x.flows.has(x, flow) })
	if refusal != nil {
		x.refuse(*refusal)
	}
	return refusal == nil
}

// query returns the request's query, or answers and returns false.
func (x *exchange) query() (url.Values, bool) {
	values, refusal := form.Query(x.r)
	if refusal != nil {
		x.refuse(*refusal)
	}
	return values, refusal == nil
}

// OwnForm reports whether token is the FormToken of the request's browser.
func (c *Conversation) OwnForm(r *http.Request, visit policy.Visit, token string) bool {
	return (&exchange{Conversation: c, r: r, visit: visit}).ownForm(token)
}

func (x *exchange) ownForm(token string) bool {
	return token != "" && hmac.Equal([]byte(token), []byte(x.devices.formToken(x)))
}

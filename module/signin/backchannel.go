package signin

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/form"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/upstream"
)

const (
	// maxLogoutForm is more than any logout token needs.
	maxLogoutForm = 64 << 10
	// logoutAgain is when a provider may send a token again of which nothing
	// could be told.
	logoutAgain = 30 * time.Second
)

// logoutRefusal is what a provider is told whose logout token ended nothing
// (OpenID Connect Back-Channel Logout 1.0 section 2.8).
type logoutRefusal struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// backchannelLogout answers POST /sso/{name}/backchannel-logout: a provider, not
// a browser, says that sessions have ended there. What it is worth is in the
// token alone: cookies, origins and where it comes from mean nothing, so nothing
// of those is asked, and no page is shown.
func (x *exchange) backchannelLogout(name string) {
	if !x.active(name) {
		return
	}
	if x.r.Method != http.MethodPost {
		x.w.Header().Set("Allow", http.MethodPost)
		x.refuse(answer.Refusal{Kind: pages.MethodNotAllowed})
		return
	}
	if refusal := form.Body(x.w, x.r, maxLogoutForm); refusal != nil {
		x.answerLogout(http.StatusBadRequest, &logoutRefusal{"invalid_request", refusal.Cause.Error()})
		return
	}
	token := x.r.PostForm.Get("logout_token")
	if token == "" {
		x.answerLogout(http.StatusBadRequest, &logoutRefusal{"invalid_request", "logout_token is missing"})
		return
	}
	err := x.Upstream.Logout(x.r.Context(), name, token, x.address())
	fault := (*sso.Fault)(nil)
	switch {
	case err == nil:
		x.answerLogout(http.StatusOK, nil)
	case errors.Is(err, upstream.ErrReplayed), errors.As(err, &fault) && fault.BadToken():
		x.answerLogout(http.StatusBadRequest, &logoutRefusal{"invalid_request", err.Error()})
	default:
		if fault == nil { // otherwise the audit trail has it, and adds up floods
			x.Answers.Log.Error("a logout token could not be acted upon; the provider is asked to send it again", zap.String("sso", name), zap.Error(err))
		}
		x.w.Header().Set("Retry-After", answer.Seconds(logoutAgain))
		x.answerLogout(http.StatusServiceUnavailable, &logoutRefusal{"temporarily_unavailable", "try again later"})
	}
}

// answerLogout answers a provider, with an empty body if there is nothing to say.
func (x *exchange) answerLogout(status int, refusal *logoutRefusal) {
	h := x.w.Header()
	h.Set("Cache-Control", "no-store")
	if refusal == nil {
		x.w.WriteHeader(status)
		return
	}
	body, err := json.Marshal(refusal)
	if err != nil {
		panic(err) // two strings always marshal
	}
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	x.w.WriteHeader(status)
	_, _ = x.w.Write(append(body, '\n'))
}

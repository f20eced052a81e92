package answer

import (
	"crypto/rand"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// Refusal is an answer that is not what was asked for.
type Refusal struct {
	Kind pages.ErrorKind

	// Cause is what the log says under the error id. nil: nothing went
	// wrong, the person just may not.
	Cause error

	// Hint is a sentence for the log that names the remedy.
	Hint string

	Detail pages.Detail
	Way    pages.Way

	// FormTargets are origins beside this site at which a form of the page may
	// end up.
	FormTargets []string

	// ReturnTo is where the person is going, a path of this site, which
	// signing in again leads to. "" if nobody knows.
	ReturnTo string

	// Status overrides that of Kind.
	Status int

	// RetryAfter is how long to wait; 0 leaves the header out unless the
	// status is 503.
	RetryAfter time.Duration
}

// Problem is the body of an answer to a program (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// SignIn is where a person signs in.
	SignIn string `json:"sign_in,omitempty"`
	// ErrorID is the id under which the log has the cause.
	ErrorID string `json:"error_id,omitempty"`
}

// Answers says no on behalf of one configuration.
type Answers struct {
	Pages *pages.Pages
	Log   *zap.Logger
}

// Refuse answers a request with an error page, or with a problem where a
// program asked. The log has the cause under the id that the answer names.
func (a *Answers) Refuse(w http.ResponseWriter, r *http.Request, visit policy.Visit, refusal Refusal) {
	id := rand.Text()[:8]
	status := refusal.Status
	if status == 0 {
		status = refusal.Kind.Status()
	}
	level := zap.WarnLevel
	if status >= http.StatusInternalServerError {
		level = zap.ErrorLevel
	}
	a.Log.Log(level, "refused: "+string(refusal.Kind),
		zap.String("error_id", id),
		zap.Int("status", status),
		zap.String("method", r.Method),
		zap.String("host", r.Host),
		zap.String("path", r.URL.Path),
		zap.Stringer("client_ip", visit.Client),
		zap.String("hint", refusal.Hint),
		zap.Error(refusal.Cause),
	)
	h := w.Header()
	if refusal.RetryAfter > 0 || status == http.StatusServiceUnavailable {
		h.Set("Retry-After", Seconds(max(refusal.RetryAfter, time.Second)))
	}
	if IsNavigation(r) || r.Method == http.MethodPost && wantsPage(r) {
		view := pages.View{Host: visit.Host, Language: a.Pages.Language(r), SignIn: SignInFor(refusal.ReturnTo), FormTargets: refusal.FormTargets}
		if visit.Portal != "" {
			view.FormTargets = append(slices.Clone(view.FormTargets), visit.Portal)
		}
		if IsNavigation(r) {
			view.Self, view.Again = repeatable(visit)
		}
		a.Pages.Write(w, status, view, pages.Error{
			Kind:    refusal.Kind,
			Detail:  refusal.Detail,
			ErrorID: id,
			Way:     refusal.Way,
		})
		return
	}
	WriteProblem(w, Problem{
		Type:    "about:blank",
		Title:   http.StatusText(status),
		Status:  status,
		Detail:  strings.ReplaceAll(string(refusal.Kind), "_", " "),
		ErrorID: id,
	})
}

// repeatable returns where the same can be asked for again: self is a page of
// the gateway's own, which can be had in another language, again one of the
// app. A provider's answer can be given once.
func repeatable(visit policy.Visit) (self, again string) {
	path, _, _ := strings.Cut(visit.Asked, "?")
	switch path {
	case SignIn, Passcode, Enroll, SignOut, Reset, Account:
		return visit.Asked, ""
	}
	if strings.HasPrefix(path, Account+"/") || strings.HasPrefix(path, SSO) && strings.HasSuffix(path, "/start") {
		return visit.Asked, ""
	}
	if again = policy.ReturnTo(visit.Asked, visit.Origin); again == "/" && path != "/" {
		again = ""
	}
	return "", again
}

// IsNavigation reports whether a browser asked for a page to show: by Fetch
// metadata where it sends that, else by what it accepts.
func IsNavigation(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	return wantsPage(r)
}

func wantsPage(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	if r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Sec-Fetch-Dest") != "" {
		return false
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// WriteProblem answers a program.
func WriteProblem(w http.ResponseWriter, problem Problem) {
	body, err := json.Marshal(problem)
	if err != nil {
		// A Problem holds strings and a number: it always marshals.
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(problem.Status)
	_, _ = w.Write(append(body, '\n'))
}

// Seconds is a duration as Retry-After wants it, rounded up.
func Seconds(d time.Duration) string {
	return strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
}

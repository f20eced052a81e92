package module

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
)

// Assertion is how a gateway tells its app who is there in a form that the app
// can verify: a JWT (ES256, good for 5 minutes) in the header
// X-Auth-Gateway-Assertion. Its iss is the site's own origin, which has the keys
// at /auth-gateway/jwks.json; its sub is the account's own id. The same one comes
// with every request of a session for 3 minutes.
type Assertion struct {
	// Audience is the aud of the assertions: what the app knows itself by.
	// Apps that are not to believe each other's need different ones, also
	// where they share a site. Default: the site's own origin.
	Audience string `json:"audience,omitempty"`
}

// maxAssertionAudience is how long an aud may be, in bytes: it is sent with
// every request.
const maxAssertionAudience = 255

// validate reports what is wrong with the audience. An aud with a colon in it
// is a URI (RFC 7519, section 2, StringOrURI).
func (a Assertion) validate() error {
	switch aud := a.Audience; {
	case HasPlaceholder(aud):
		return nil
	case len(aud) > maxAssertionAudience:
		return fmt.Errorf("the audience has %d bytes, %d are the most", len(aud), maxAssertionAudience)
	case strings.ContainsAny(aud, "{}"):
		return fmt.Errorf("%q: only {env.NAME} and {file.PATH} may stand in it, since nothing else is known when the configuration is loaded", aud)
	case strings.ContainsFunc(aud, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }):
		return fmt.Errorf("%q has a space or a control character in it", aud)
	case strings.Contains(aud, ":"):
		if u, err := url.Parse(aud); err != nil || u.Scheme == "" {
			return fmt.Errorf("%q has a colon in it and is no URI: write it like https://app.example.com, or leave the colon out", aud)
		}
	}
	return nil
}

// asserted is what a gateway handed on last with the requests of one session.
type asserted struct {
	mu   sync.Mutex // held while another one is signed
	last atomic.Pointer[signed]
}

// signed is an assertion in its compact form.
type signed struct {
	text   string
	origin policy.Origin
	at     int64 // unix nanoseconds
}

// good reports whether an assertion may still be handed on from that origin.
func (s *signed) good(origin policy.Origin, now int64) bool {
	return s != nil && s.origin == origin && s.at <= now && now-s.at < int64(identity.AssertionInterval)
}

// assert puts the signed assertion on a request. On an error the request must
// not reach the app, which would miss it.
func (g *Gateway) assert(r *http.Request, s *service, live *session.Live, known *asserted, origin policy.Origin) error {
	last := known.last.Load()
	if !last.good(origin, s.assertions.clock().UnixNano()) {
		var err error
		if last, err = g.sign(r, s, live, known, origin); err != nil {
			return fmt.Errorf("signing who is there: %w", err)
		}
	}
	r.Header[identity.AssertionHeader] = []string{last.text}
	return nil
}

func (g *Gateway) sign(r *http.Request, s *service, live *session.Live, known *asserted, origin policy.Origin) (*signed, error) {
	known.mu.Lock()
	defer known.mu.Unlock()
	now := s.assertions.clock()
	if last := known.last.Load(); last.good(origin, now.UnixNano()) {
		return last, nil // somebody else was faster
	}
	keys, err := s.assertions.current(r.Context())
	if err != nil {
		return nil, err
	}
	audience := g.Assertion.Audience
	if audience == "" {
		audience = origin.String()
	}
	text, err := keys.Sign(identity.Assertion{Issuer: origin.String(), Audience: audience, Identity: live.Identity()}, now)
	if err != nil {
		return nil, err
	}
	next := &signed{text: text, origin: origin, at: now.UnixNano()}
	known.last.Store(next)
	return next, nil
}

// publishKeys answers GET /jwks.json. It is for everyone, and the one answer
// about the gateway that proxies may keep.
func (g *Gateway) publishKeys(w http.ResponseWriter, r *http.Request, a arrival, s *service) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return g.refuse(w, r, a, answer.Refusal{Kind: pages.MethodNotAllowed, Cause: fmt.Errorf("the method is %s", r.Method)})
	}
	keys, err := s.assertions.current(r.Context())
	if err != nil {
		return g.refuse(w, r, a, answer.Refusal{Kind: pages.StoreUnavailable, Cause: err})
	}
	h := w.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Content-Length", strconv.Itoa(len(keys.published)))
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(identity.KeysMaxAge.Seconds())))
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(keys.published)
	return nil
}

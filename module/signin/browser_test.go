package signin_test

import (
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/signin"
)

// browser keeps cookies.
type browser struct {
	*site
	cookies map[string]string
	client  string
	header  http.Header // sent with everything
	bare    bool        // posts say nothing of where they come from
}

func (s *site) browser() *browser {
	return &browser{site: s, cookies: map[string]string{}, client: office, header: http.Header{
		"Accept": {"text/html"}, "User-Agent": {"Mozilla/5.0"}, "Accept-Language": {"en"},
	}}
}

// copy is another browser into which somebody has copied the cookies.
func (b *browser) copy() *browser {
	made := *b
	made.cookies, made.header = maps.Clone(b.cookies), b.header.Clone()
	return &made
}

// reply is an answer.
type reply struct {
	*browser
	status   int
	header   http.Header
	location string
	body     string
}

func (b *browser) get(target string) *reply {
	b.Helper()
	return b.send(http.MethodGet, target, nil, nil)
}

// post sends a form, names and values in turn.
func (b *browser) post(target string, pairs ...string) *reply {
	b.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
		switch pairs[i] {
		case "password", "passcode", "token":
			b.hide(pairs[i+1], pairs[i])
		}
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	if !b.bare {
		header.Set("Origin", origin)
	}
	return b.send(http.MethodPost, target, header, strings.NewReader(form.Encode()))
}

func (b *browser) send(method, target string, header http.Header, body io.Reader) *reply {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), method, origin+target, body)
	maps.Copy(r.Header, b.header)
	maps.Copy(r.Header, header)
	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		r.AddCookie(&http.Cookie{Name: name, Value: b.cookies[name]})
	}
	visit := policy.Visit{Origin: origin, Host: "app.example.test", Secure: true}
	if b.client != "" {
		visit.Client = netip.MustParseAddr(b.client)
	}
	w := httptest.NewRecorder()
	if path := r.URL.Path; strings.HasPrefix(path, answer.Account) {
		b.profile.ServeHTTP(w, r, path, visit)
	} else {
		b.conversation.ServeHTTP(w, r, path, visit, signin.Site{Door: b.door})
	}
	for _, c := range w.Result().Cookies() {
		b.keep(c)
	}
	made := &reply{browser: b, status: w.Code, header: w.Header(), location: w.Header().Get("Location"), body: w.Body.String()}
	b.noteSecrets(made)
	return made
}

// keep does with a cookie what a browser does.
func (b *browser) keep(c *http.Cookie) {
	b.Helper()
	if !strings.HasPrefix(c.Name, "__Host-auth_gateway") || !c.Secure || !c.HttpOnly || c.Path != "/" || c.SameSite != http.SameSiteLaxMode {
		b.Errorf("a cookie that others could read or set: %s", c)
	}
	if c.MaxAge < 0 {
		delete(b.cookies, c.Name)
		return
	}
	b.cookies[c.Name] = c.Value
	if c.Name != "__Host-"+pages.LanguageCookie {
		b.hide(c.Value, "cookie")
	}
}

func (b *browser) noteSecrets(r *reply) {
	if u, err := url.Parse(r.location); err == nil {
		for _, name := range []string{"state", "nonce", "token"} {
			b.hide(u.Query().Get(name), name)
		}
	}
	if r.header.Get("Cache-Control") != "no-store" && r.header.Get("Set-Cookie") != "" {
		b.Errorf("a cookie in an answer that may be kept: %v", r.header)
	}
}

// door is that of the longest prefix.
func (s *site) door(path string) *policy.Door {
	longest := "/"
	for prefix := range s.paths {
		if strings.HasPrefix(path, prefix) && len(prefix) > len(longest) {
			longest = prefix
		}
	}
	return s.doors[s.paths[longest]]
}

// as is the status and where it leads, "303 /".
func (r *reply) as(want string) *reply {
	r.Helper()
	got := fmt.Sprint(r.status)
	if r.location != "" {
		got += " " + r.location
	}
	if got != want {
		r.Fatalf("answered %s, want %s\n%s", got, want, text(r.body))
	}
	return r
}

var tags = regexp.MustCompile(`(?s)<style.*?</style>|<svg.*?</svg>|<[^>]*>|\n\s*\n`)

func text(body string) string {
	return strings.ReplaceAll(html.UnescapeString(tags.ReplaceAllString(body, "")), "\u00a0", " ")
}

// says expects words on the page.
func (r *reply) says(words string) *reply {
	r.Helper()
	if !strings.Contains(text(r.body), words) {
		r.Fatalf("the page does not say %q:\n%s", words, text(r.body))
	}
	return r
}

// field is the value of an input.
func (r *reply) field(name string) string {
	found := regexp.MustCompile(`<input[^>]* name="` + name + `"[^>]* value="([^"]*)"`).FindStringSubmatch(r.body)
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}

func (r *reply) key() string {
	found := regexp.MustCompile(`id="totp-key">(.*?)</p>`).FindStringSubmatch(r.body)
	if found == nil {
		r.Fatalf("no key on the page:\n%s", text(r.body))
	}
	return text(found[1])
}

func (r *reply) codes() (codes []string) {
	for _, found := range regexp.MustCompile(`<li>([a-z2-7-]{19})</li>`).FindAllStringSubmatch(r.body, -1) {
		codes = append(codes, found[1])
		r.hide(found[1], "recovery code")
	}
	return codes
}

// flow is the one the answer leads to.
func (r *reply) flow() string {
	r.Helper()
	u, err := url.Parse(r.location)
	if err != nil || u.Query().Get("flow") == "" {
		r.Fatalf("answered %d %s, which leads to no flow\n%s", r.status, r.location, text(r.body))
	}
	return u.Query().Get("flow")
}

// signIn posts a password.
func (b *browser) signIn(email, password, returnTo string) *reply {
	b.Helper()
	return b.post(answer.SignIn, "email", email, "password", password, "return_to", returnTo)
}

// who is the e-mail address behind the browser's session, or "".
func (b *browser) who() string {
	b.Helper()
	r := b.get(answer.WhoAmI)
	if r.status == http.StatusUnauthorized {
		return ""
	}
	found := regexp.MustCompile(`"email": "([^"]*)"`).FindStringSubmatch(r.body)
	if r.status != http.StatusOK || found == nil {
		b.Fatalf("whoami: %d %s", r.status, r.body)
	}
	return found[1]
}

// is expects whom the browser's session belongs to, "" for nobody.
func (b *browser) is(want string) {
	b.Helper()
	if got := b.who(); got != want {
		b.Fatalf("signed in: %q, want %q", got, want)
	}
}

// atOnce runs fn so many times at once.
func atOnce(n int, fn func(i int)) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() { <-start; fn(i) })
	}
	close(start)
	group.Wait()
}

//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// S9, S10: what claims map reaches the app, /whoami and the administrator, from
// a certified provider; what they do not map is kept nowhere.
func TestClaims(t *testing.T) {
	t.Parallel()
	const mapped = `admit any
scopes openid email profile attributes
claims {
	role app_role
	tags labels
	groups https://example.com/groups
	field.roles resource_access.app.roles
	field.* user_field_*
	locale locale
	external_id staff_number
}`
	plain := sso{"plainly", "mode pkce\nscopes openid email profile attributes", harness.RelyingParty{ID: "plainly", PKCE: true}}
	g := prepare(t, "", "", withSecret)
	p := harness.StartProvider(t, g.parties(modes[0])...)
	g.Configure(option(words(p.Issuer, mapped+"\nbutton Go", "", modes[0])), site("header X-Custom field.roles"))
	g.Run()

	b := g.Browser()
	got := through(b, b.Open("/auth-gateway/sso/public/start?return_to=/private"), "attributed").App()
	for name, want := range map[string]string{
		"Remote-User": "ada@example.test", "Remote-Name": "Ada Attributed", "Remote-Role": "agent", "Remote-Groups": "agent,dev,ops",
		"Remote-Tags": "vip,beta", "Remote-Locale": "ja-JP", "Remote-External-Id": "0042",
		"Remote-Field-Team": "blue", "Remote-Field-Floor": "3", "Remote-Field-Roles": "writer", "X-Custom": "writer",
		"Remote-Phone": "", "Remote-Organizations": "",
	} {
		if value := got.Header.Get(name); value != want {
			t.Errorf("%s: %q, want %q", name, value, want)
		}
	}
	me := b.Whoami()
	if me["role"] != "agent" || fmt.Sprint(me["tags"]) != "[vip beta]" || me["field.floor"] != "3" || me["external_id"] != "0042" {
		t.Errorf("whoami: %v", me)
	}
	var shown struct {
		Tags   []string
		Fields map[string]string
		Locale string
	}
	g.JSON(&shown, "user", "show", "ada@example.test")
	if !slices.Equal(shown.Tags, []string{"vip", "beta"}) || shown.Fields["team"] != "blue" || shown.Locale != "ja-JP" {
		t.Errorf("user show: %+v", shown)
	}

	// The same person without a mapping: S9.
	h := prepare(t, "", "", withSecret)
	q := harness.StartProvider(t, h.parties(plain)...)
	h.Configure(option(words(q.Issuer, "admit any", "", plain)), site(""))
	h.Run()
	b = h.Browser()
	through(b, b.Open("/private"), "attributed").App()
	me = b.Whoami()
	delete(me, "id")
	if want := map[string]any{"email": "ada@example.test", "name": "Ada Attributed", "role": "end-user"}; !maps.Equal(me, want) {
		t.Errorf("without claims: %v", me)
	}
	var all map[string]any
	h.JSON(&all, "user", "show", "ada@example.test")
	if kept, _ := json.Marshal(all); strings.Contains(string(kept), "0042") || strings.Contains(string(kept), "writer") {
		t.Errorf("kept: %s", kept)
	}
}

// claimed is a gate with a provider that says whatever a test wants.
func claimed(t *testing.T, words, global string) (*gate, *providertest.Provider) {
	t.Helper()
	p := providertest.New(t)
	g := start(t, fmt.Sprintf("sso idp {\nissuer %s\nclient_id %s\nclient_secret {env.CLIENT_SECRET}\nadmit any\nbutton Go\n%s\n}\naudience team {\nsso idp\n}\n%s",
		p.Issuer(), providertest.ClientID, words, global), "",
		func(o *harness.Options) { o.Env = map[string]string{"CLIENT_SECRET": providertest.ClientSecret} })
	g.Secret("the client secret", providertest.ClientSecret)
	p.Behave(func(b *providertest.Behaviour) { b.Secret = g.Secret })
	return g, p
}

// tells has the provider speak of Pat, with those claims.
func tells(p *providertest.Provider, claims map[string]any) {
	p.Behave(func(b *providertest.Behaviour) {
		b.Person = map[string]any{"sub": "pat", "name": "Pat", "email": "pat@example.test", "email_verified": true}
		maps.Copy(b.Person, claims)
	})
}

// enter signs in at the provider and returns where that ends.
func (g *gate) enter(b *harness.Client) *harness.Page {
	return b.Follow(b.Get("/auth-gateway/sso/idp/start?return_to=/private"))
}

const mappedClaims = `claims {
	role role
	tags tags
	phone phone
	organizations organization
	organization_ids organization_ids
	field.* user_field_*
}
`

// S8, G2: each sign-in updates the account, for every session of it on the next
// request, and what happens to a role is in the audit trail.
func TestClaimsUpdate(t *testing.T) {
	t.Parallel()
	g, p := claimed(t, mappedClaims+"max_role admin", "organizations {\nAcme 17\nUmbrella\n}")
	tells(p, map[string]any{"tags": "a,b", "phone": "+0012", "user_field_x": "1", "user_field_y": "2", "organization": "Acme, Elsewhere"})
	first := g.Browser()
	got := g.enter(first).App().Header
	if got.Get("Remote-Role") != "end-user" || got.Get("Remote-Tags") != "a,b" || got.Get("Remote-Phone") != "+0012" ||
		got.Get("Remote-Organizations") != "Acme" || got.Get("Remote-Organization-Ids") != "17" {
		t.Errorf("first: %v", got)
	}

	// An administrator's word holds until the provider says otherwise.
	g.Must("user", "set", "pat@example.test", "--role", "agent", "--name", "Patrick")
	if got := first.Get("/").App().Header; got.Get("Remote-Role") != "agent" || got.Get("Remote-Name") != "Patrick" {
		t.Errorf("after user set: %v", got)
	}
	tells(p, map[string]any{"role": "admin", "tags": []any{"c"}, "user_field_x": nil, "organization_ids": nil, "organization": "Umbrella"})
	g.enter(g.Browser()).App()
	got = first.Get("/").App().Header
	for name, want := range map[string]string{
		"Remote-Role": "admin", "Remote-Name": "Pat", "Remote-Tags": "c", "Remote-Phone": "+0012",
		"Remote-Field-X": "", "Remote-Field-Y": "2", "Remote-Organizations": "Umbrella", "Remote-Organization-Ids": "",
	} {
		if value := got.Get(name); value != want {
			t.Errorf("after another sign-in %s: %q, want %q", name, value, want)
		}
	}
	g.WaitLog("the change of role", func(e harness.Entry) bool {
		return e.Text("action") == "role" && e.Text("how") == "sso idp" && strings.Contains(e.Text("detail"), `"agent" to "admin"`)
	})

	// The last administrator stays one; with another there is no reason to.
	tells(p, map[string]any{"role": "end-user"})
	if got := g.enter(g.Browser()).App().Header.Get("Remote-Role"); got != "admin" {
		t.Errorf("the last administrator became %s", got)
	}
	g.Must("user", "add", "boss@example.test", "--role", "admin")
	g.enter(g.Browser()).App()
	if got := first.Get("/").App().Header.Get("Remote-Role"); got != "end-user" {
		t.Errorf("role %s", got)
	}
}

// S10: what cannot be an attribute is logged and ignored, and nobody sees an
// error page for it.
func TestClaimsThatCannotBe(t *testing.T) {
	t.Parallel()
	g, p := claimed(t, mappedClaims, "")
	var bomb any = "boom"
	for range 5000 {
		bomb = []any{bomb}
	}
	many := make([]any, 20000)
	for i := range many {
		many[i] = fmt.Sprint("tag-", i)
	}
	for name, claims := range map[string]map[string]any{
		"role: " + `\"superuser\" is none`:   {"role": "superuser"},
		"role (claim role): is not text":     {"role": map[string]any{"admin": true}},
		"tags (claim tags): has more than":   {"tags": many},
		"tags (claim tags): 1 of its":        {"tags": bomb},
		"phone (claim phone): is neither":    {"phone": map[string]any{"a": "b"}},
		"phone (claim phone): has a control": {"phone": "+1\r\nRemote-Role: admin"},
		"field.x (claim user_field_x): is":   {"user_field_x": strings.Repeat("x", 100000)},
		"field.* (claim":                     {"user_field_a b": "x"},
		"organization_ids (claim":            {"organization_ids": map[string]any{"a": 1}},
	} {
		tells(p, claims)
		b := g.Browser()
		page := g.enter(b)
		if !page.FromApp() {
			t.Errorf("%s: %v", name, page)
			continue
		}
		if role := page.App().Header.Get("Remote-Role"); role != "end-user" {
			t.Errorf("%s: role %s", name, role)
		}
		said := strings.ReplaceAll(strings.TrimPrefix(name, "role: "), `\"`, `"`)
		g.WaitLog(name, func(e harness.Entry) bool {
			return strings.Contains(e.Text("msg"), "cannot be attributes") && strings.Contains(strings.ReplaceAll(e.String(), `\"`, `"`), said)
		})
	}

	// max_role: a claim gives no more, and says nothing of who has more.
	tells(p, map[string]any{"role": "admin"})
	if role := g.enter(g.Browser()).App().Header.Get("Remote-Role"); role != "agent" {
		t.Errorf("a claim gave %s", role)
	}
}

// A mapped claim may be in userinfo alone; one about somebody else is refused.
func TestClaimsFromUserinfo(t *testing.T) {
	t.Parallel()
	g, p := claimed(t, mappedClaims, "")
	tells(p, map[string]any{"role": "agent", "tags": "x"})
	p.Behave(func(b *providertest.Behaviour) { b.InUserinfo = []string{"role", "tags"} })
	if got := g.enter(g.Browser()).App().Header; got.Get("Remote-Role") != "agent" || got.Get("Remote-Tags") != "x" {
		t.Errorf("in as %v", got)
	}
	p.Behave(func(b *providertest.Behaviour) {
		b.Userinfo = func(c map[string]any) { c["sub"], c["role"] = "the-boss", "admin" }
	})
	b := g.Browser()
	if page := g.enter(b); page.Status != http.StatusBadGateway || b.Whoami() != nil {
		t.Errorf("userinfo of somebody else: %v", page)
	}
}

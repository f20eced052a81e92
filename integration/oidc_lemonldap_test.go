//go:build integration

package integration

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// The second provider: LemonLDAP::NG, whose issuer ends in a slash and who
// marks no address as verified.
func TestLemonLDAP(t *testing.T) {
	t.Parallel()
	// It does not decode what RFC 6749, section 2.3.1 has clients encode, so
	// its secret has nothing to encode.
	const secret = "lemon-secret-of-these-tests"
	configs := slices.Clone(modes)
	for i := range configs {
		if configs[i].party.Secret != "" {
			configs[i].party.Secret = secret
		}
	}
	g := prepare(t, "", "", func(o *harness.Options) { o.Env = map[string]string{"CLIENT_SECRET": secret} })
	l := harness.StartLemonLDAP(t, g.parties(configs...)...)
	g.Configure(option(words(l.Issuer, "admit any\nbutton Go", "", configs...)), site(""))
	g.Run()
	g.Secret("the client secret", secret)

	signIn := func(b *harness.Client, config sso, login string) *harness.Page {
		page := b.Open("/auth-gateway/sso/" + config.name + "/start?return_to=/private%3Fx%3D1")
		return b.SubmitAndFollow(page.Form("password").Set("user", login).Set("password", login))
	}
	b := g.Browser()
	page := signIn(b, configs[0], "dwho")
	says(t, page, "not verified")
	g.wantOut(t, b)

	g.configure(words(l.Issuer, "admit any\nbutton Go\ntrust_email\nrevalidate 1h", "", configs...), "")
	browsers := map[string]*harness.Client{}
	for _, config := range configs {
		t.Run(config.name, func(t *testing.T) {
			g.For(t)
			b := g.Browser()
			got := signIn(b, config, "dwho").App()
			if got.URI != "/private?x=1" || got.Header.Get("Remote-User") != "dwho@badwolf.org" || got.Header.Get("Remote-Name") != "Doctor Who" {
				t.Errorf("at %q as %v", got.URI, got.Header)
			}
			browsers[config.name] = b
		})
	}
	if t.Failed() {
		return
	}

	// S8: two hours later it vouches for them; who signs out there is signed out
	// here another two hours later.
	const doctor = "dwho@badwolf.org"
	g.Age(2 * time.Hour)
	for name, b := range browsers {
		g.wantIn(t, b, doctor)
		g.WaitLog("that the provider vouches", func(e harness.Entry) bool {
			return e.Text("sso") == name && e.Text("msg") == "the provider vouches again"
		})
		b.Get(l.Issuer + "?logout=1")
	}
	g.Age(2 * time.Hour)
	for name, b := range browsers {
		g.wantIn(t, b, doctor)
		g.WaitLog("the end of the session", func(e harness.Entry) bool { return e.Text("how") == "revalidate sso "+name })
		g.wantOut(t, b)
	}

	// S10: what its directory has besides becomes attributes. It all comes
	// from userinfo: this provider puts none of it into ID tokens.
	g.configure(`organizations {
Gallifrey 17
}
`+words(l.Issuer, `admit any
button Go
trust_email
scopes openid email profile address attributes
claims {
	role app_role
	groups groups
	organizations organization
	tags resource_access.tardis.roles
	field.town address.locality
}
max_role agent`, "", configs...), "")
	for login, want := range map[string]map[string]string{
		"dwho": { // an administrator there, and no more than max_role here
			"Remote-Role": "agent", "Remote-Name": "Doctor Who", "Remote-Groups": "agent,timelords,users", "Remote-Tags": "pilot,owner", "Remote-Field-Town": "Gallifrey",
			"Remote-Organizations": "Gallifrey", "Remote-Organization-Ids": "17", // nobody knows the other one
		},
		"rtyler": {
			"Remote-Role": "agent", "Remote-Name": "Rose Tyler", "Remote-Groups": "agent,earthlings,users", "Remote-Tags": "pilot,guest",
			"Remote-Field-Town": "London", "Remote-Organizations": "",
		},
		"msmith": { // a role of which nobody has heard
			"Remote-Role": "end-user", "Remote-Name": "Mickey Smith", "Remote-Groups": "earthlings,end-user,users",
		},
	} {
		t.Run("claims of "+login, func(t *testing.T) {
			g.For(t)
			got := signIn(g.Browser(), configs[1], login).App().Header
			groups := strings.Split(got.Get("Remote-Groups"), ",") // in no order there
			slices.Sort(groups)
			got.Set("Remote-Groups", strings.Join(groups, ","))
			for name, value := range want {
				if got.Get(name) != value {
					t.Errorf("%s: %q, want %q", name, got.Get(name), value)
				}
			}
		})
	}
}

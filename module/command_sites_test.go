package module

import (
	"slices"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

func TestOriginsOfSites(t *testing.T) {
	// server is a configuration with one server of these parts.
	server := func(parts string) string {
		return `{"apps":{"http":{"servers":{"srv0":{` + parts + `}}}}}`
	}
	const gate = `{"handler":"auth_gateway"}`
	on := func(hosts string) string {
		return `"routes":[{"match":[{"host":[` + hosts + `]}],"handle":[{"handler":"subroute","routes":[{"handle":[` + gate + `]}]}]}]`
	}

	tests := []struct {
		name   string
		config string
		want   []string
	}{
		{"https on the usual port", server(`"listen":[":443"],` + on(`"app.example.com"`)), []string{"https://app.example.com"}},
		{"https on another port", server(`"listen":["127.0.0.1:8443"],` + on(`"app.example.com"`)), []string{"https://app.example.com:8443"}},
		{"the usual port among several", server(`"listen":[":80",":8443",":443"],` + on(`"app.example.com"`)), []string{"https://app.example.com"}},
		{"the HTTP port is not where https is", server(`"listen":[":80",":8443"],` + on(`"app.example.com"`)), []string{"https://app.example.com:8443"}},
		{"the first of several hosts", server(`"listen":[":443"],` + on(`"app.example.com","www.example.com"`)), []string{"https://app.example.com"}},
		{"a host that everyone can reach goes first", server(`"listen":[":8443"],` + on(`"localhost","app.example.com"`)), []string{"https://app.example.com:8443"}},
		{"https on loopback", server(`"listen":[":443"],` + on(`"localhost"`)), []string{"https://localhost"}},
		{"an IPv6 address", server(`"listen":[":8443"],` + on(`"2001:db8::1"`)), []string{"https://[2001:db8::1]:8443"}},
		{"upper case", server(`"listen":[":443"],` + on(`"App.Example.COM"`)), []string{"https://app.example.com"}},

		{"http://localhost:8080", server(`"listen":[":8080"],"automatic_https":{"skip":["localhost"]},` + on(`"localhost"`)), []string{"http://localhost:8080"}},
		{"http://[::1]:8080", server(`"listen":["tcp6/[::1]:8080"],"automatic_https":{"skip":["::1"]},` + on(`"::1"`)), []string{"http://[::1]:8080"}},
		{"http://localhost", server(`"listen":[":80"],` + on(`"localhost"`)), []string{"http://localhost"}},
		{"the HTTP port is another", `{"apps":{"http":{"http_port":8000,"servers":{"a":{"listen":[":8000"],` + on(`"localhost"`) + `}}}}}`, []string{"http://localhost:8000"}},
		{"automatic https off, plain", server(`"listen":[":8080"],"automatic_https":{"disable":true},` + on(`"localhost"`)), []string{"http://localhost:8080"}},
		{"automatic https off, with certificates", server(`"listen":[":443"],"automatic_https":{"disable":true},"tls_connection_policies":[{}],` + on(`"app.example.com"`)), []string{"https://app.example.com"}},
		{"plain behind a proxy", server(`"listen":[":80"],` + on(`"app.example.com"`)), nil},
		{"plain behind a proxy, on another port", server(`"listen":[":8080"],"automatic_https":{"skip":["app.example.com"]},` + on(`"app.example.com"`)), nil},

		{"no host", server(`"listen":[":8080"],"routes":[{"handle":[` + gate + `]}]`), nil},
		{"a pattern is no host", server(`"listen":[":443"],` + on(`"*.example.com"`)), nil},
		{"a pattern beside a host", server(`"listen":[":443"],` + on(`"*.example.com","app.example.com"`)), []string{"https://app.example.com"}},
		{"a placeholder is no host", server(`"listen":[":443"],` + on(`"{env.NO_SUCH_HOST}"`)), nil},
		{"a host within a pattern", server(`"listen":[":443"],"routes":[{"match":[{"host":["*.example.com"]}],"handle":[{"handler":"subroute","routes":[` +
			`{"match":[{"host":["in.example.com"]}],"handle":[{"handler":"subroute","routes":[{"handle":[` + gate + `]}]}]},` +
			`{"match":[{"host":["other.example.com"]}],"handle":[{"handler":"static_response"}]}]}]}]`), []string{"https://in.example.com"}},
		{"matched by path within a host", server(`"listen":[":443"],"routes":[{"match":[{"host":["app.example.com"]}],"handle":[{"handler":"subroute","routes":[` +
			`{"match":[{"path":["/x/*"]}],"handle":[` + gate + `]}]}]}]`), []string{"https://app.example.com"}},
		{"a site without a gateway", server(`"listen":[":443"],"routes":[{"match":[{"host":["app.example.com"]}],"handle":[{"handler":"static_response"}]}]`), nil},
		{"a unix socket", server(`"listen":["unix//run/app.sock"],` + on(`"app.example.com"`)), nil},
		{"a range of ports", server(`"listen":[":8000-8010"],` + on(`"app.example.com"`)), nil},
		{"a named route", server(`"listen":[":443"],"routes":[{"match":[{"host":["app.example.com"]}],"handle":[{"handler":"invoke","name":"gate"}]}],` +
			`"named_routes":{"gate":{"handle":[` + gate + `]}}`), []string{"https://app.example.com"}},
		{"named routes in a circle", server(`"listen":[":443"],"routes":[{"handle":[{"handler":"invoke","name":"a"}]}],` +
			`"named_routes":{"a":{"handle":[{"handler":"invoke","name":"a"}]}}`), nil},

		{"an origin line wins", server(`"listen":[":8080"],"routes":[{"match":[{"host":["inner.internal"]}],"handle":[` +
			`{"handler":"auth_gateway","origins":["https://App.example.com:443","https://www.example.com"]}]}]`), []string{"https://app.example.com"}},
		{"an origin with a placeholder", server(`"listen":[":8080"],"routes":[{"handle":[{"handler":"auth_gateway","origins":["{env.SITE_ORIGIN}"]}]}]`),
			[]string{"https://env.example.com"}},
		{"an origin that only Caddy knows", server(`"listen":[":443"],"routes":[{"match":[{"host":["app.example.com"]}],"handle":[` +
			`{"handler":"auth_gateway","origins":["{env.NO_SUCH_ORIGIN}"]}]}]`), []string{"https://app.example.com"}},

		{"several sites", `{"apps":{"http":{"servers":{"b":{"listen":[":443"],` + on(`"b.example.com"`) + `},"a":{"listen":[":443"],` + on(`"a.example.com"`) + `}}}}}`,
			[]string{"https://a.example.com", "https://b.example.com"}},
		{"one site, two gateways", server(`"listen":[":443"],"routes":[{"match":[{"host":["app.example.com"]}],"handle":[` + gate + `]},` +
			`{"match":[{"host":["app.example.com"]}],"handle":[` + gate + `]}]`), []string{"https://app.example.com"}},
		{"one that can be told and one that cannot", `{"apps":{"http":{"servers":{"a":{"listen":[":8080"],"routes":[{"handle":[` + gate + `]}]},"b":{"listen":[":443"],` + on(`"b.example.com"`) + `}}}}}`,
			[]string{"https://b.example.com"}},
		{"behind a portal", `{"apps":{"auth_gateway":{"portal":"https://Login.example.com:443"},"http":{"servers":{"b":{"listen":[":443"],` + on(`"b.example.com"`) +
			`},"a":{"listen":[":443"],` + on(`"a.example.com"`) + `}}}}}`, []string{"https://login.example.com"}},
		{"behind a portal that only Caddy knows", `{"apps":{"auth_gateway":{"portal":"{env.NO_SUCH_PORTAL}"},"http":{"servers":{"b":{"listen":[":443"],` +
			on(`"b.example.com"`) + `}}}}}`, []string{"https://b.example.com"}},
		{"nothing at all", `{}`, nil},
		{"what Caddy says without a configuration", `null`, nil},
	}
	t.Setenv("SITE_ORIGIN", "https://env.example.com")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := readConfiguration([]byte(test.config))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.origins(identity.EndUser); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestOriginsAreOfSitesThatAreOpenToTheRole(t *testing.T) {
	const text = `{"apps":{
		"auth_gateway":{"audiences":{
			"team":{"roles":["agent","admin"]},
			"customers":{"roles":["end-user"]},
			"partners":{"password":"off","sso":["okta"]}}},
		"http":{"servers":{"srv0":{"listen":[":443"],"routes":[
			{"match":[{"host":["team.example.com"]}],"handle":[{"handler":"auth_gateway","audience":"team"}]},
			{"match":[{"host":["shop.example.com"]}],"handle":[{"handler":"auth_gateway","audience":"customers"}]},
			{"match":[{"host":["partners.example.com"]}],"handle":[{"handler":"auth_gateway","audience":"partners"}]}]}}}}}`
	c, err := readConfiguration([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for role, want := range map[identity.Role]string{
		identity.EndUser: "https://shop.example.com",
		identity.Agent:   "https://team.example.com",
		identity.Admin:   "https://team.example.com",
	} {
		if got := c.origins(role); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %q, want only %s", role, got, want)
		}
	}
}

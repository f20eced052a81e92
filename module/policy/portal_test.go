package policy

import (
	"bufio"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	portalOrigin = "https://login.example.com"
	siteOrigin   = "https://app.example.com"
	otherOrigin  = "https://wiki.example.com:8443"
)

func behindPortal(origin string) bool { return origin == siteOrigin || origin == otherOrigin }

func TestReturnToSite(t *testing.T) {
	for _, tc := range []struct{ name, raw, origin, path, fragment string }{
		{"the root", siteOrigin + "/", siteOrigin, "/", ""},
		{"no path", siteOrigin, siteOrigin, "/", ""},
		{"no path, a query", siteOrigin + "?a=b", siteOrigin, "/?a=b", ""},
		{"no path, a fragment", siteOrigin + "#x", siteOrigin, "/", "x"},
		{"a path and a query", siteOrigin + "/x/y.html?a=b&c=/d", siteOrigin, "/x/y.html?a=b&c=/d", ""},
		{"a fragment", siteOrigin + "/x?a=b#id.hash", siteOrigin, "/x?a=b", "id.hash"},
		{"a fragment with anything in it", siteOrigin + "/x#@evil.test/\\", siteOrigin, "/x", "@evil.test/\\"},
		{"another port", otherOrigin + "/x", otherOrigin, "/x", ""},
		{"an address in the query", siteOrigin + "/x?next=https://evil.test", siteOrigin, "/x?next=https://evil.test", ""},
		{"other alphabets in the path", siteOrigin + "/日本", siteOrigin, "/%E6%97%A5%E6%9C%AC", ""},
		{"a name that begins like ours", siteOrigin + "/auth-gateways", siteOrigin, "/auth-gateways", ""},
		{"an address as a path", siteOrigin + "/https://evil.test", siteOrigin, "/https://evil.test", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			origin, path, fragment, ok := ReturnToSite(tc.raw, behindPortal)
			if !ok || origin != tc.origin || path != tc.path || fragment != tc.fragment {
				t.Errorf("got %q %q %q %t", origin, path, fragment, ok)
			}
		})
	}
	for _, path := range []string{"/x", "/", "", "x"} {
		if _, _, _, ok := ReturnToSite(path, func(string) bool { return true }); ok {
			t.Errorf("%q is an address of another site", path)
		}
	}
}

// hostileSites reads the addresses that lead nowhere on the portal either.
func hostileSites(t testing.TB) (all []string) {
	t.Helper()
	file, err := os.Open("testdata/return_to_site.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		raw, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
		if err != nil {
			t.Fatalf("testdata/return_to_site.txt:%d: %v", number, err)
		}
		all = append(all, raw)
	}
	return all
}

func TestReturnToSiteHostile(t *testing.T) {
	all := slices.Concat(hostileSites(t), hostile(t))
	if len(all) < 300 {
		t.Fatalf("only %d addresses were read", len(all))
	}
	// Of the longer list some are addresses of that site, which is another's there.
	own := func(raw string) bool { return strings.HasPrefix(raw, ownOrigin) }
	for _, raw := range all {
		origin, path, _, ok := ReturnToSite(raw, behindPortal)
		if ok && !(own(raw) && !slices.Contains(hostileSites(t), raw)) {
			t.Errorf("%q: got %q %q", raw, origin, path)
		}
		if got := ReturnTo(raw, portalOrigin); got != "/" && strings.HasPrefix(raw, siteOrigin) {
			t.Errorf("%q: as a path of the portal %q", raw, got)
		}
	}
}

// FuzzReturnToSite: whatever comes in, what comes out leads browsers to a site
// behind the portal, where they would have gone, and to nothing of ours there.
func FuzzReturnToSite(f *testing.F) {
	for _, raw := range slices.Concat(hostileSites(f), hostile(f)) {
		f.Add(raw)
	}
	for _, rest := range []string{"", "/", "?x", "#y", "/x?a=b#id.hash", "/日本", "/a b", "/auth-gatewayx"} {
		f.Add(siteOrigin + rest)
		f.Add(otherOrigin + rest)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		origin, path, _, ok := ReturnToSite(raw, behindPortal)
		if !ok {
			return
		}
		read := parseWHATWG(origin+path, portalOrigin)
		where, query, _ := strings.Cut(path, "?")
		if !behindPortal(read.origin) || read.origin != origin || read.path != where ||
			strings.TrimPrefix(read.query, "?") != strings.ReplaceAll(query, "'", "%27") {
			t.Fatalf("%q: got %q %q, which browsers read as %+v", raw, origin, path, read)
		}
		if meant := parseWHATWG(raw, portalOrigin); meant != read {
			t.Fatalf("%q: got %+v, where browsers would go to %+v", raw, read, meant)
		}
		decoded, err := url.PathUnescape(where)
		if err != nil {
			t.Fatalf("%q: got %q: %v", raw, path, err)
		}
		clean := strings.ToLower(ReadPath(where, decoded).Clean)
		if clean == gatewayRoot || strings.HasPrefix(clean, gatewayRoot+"/") {
			t.Fatalf("%q: got %q, of the gateway's own", raw, path)
		}
		o2, p2, _, ok := ReturnToSite(origin+path, behindPortal)
		if !ok || o2 != origin || p2 != path {
			t.Fatalf("%q: got %q %q, and from that %q %q", raw, origin, path, o2, p2)
		}
	})
}

func TestBeside(t *testing.T) {
	for _, tc := range []struct{ portal, host, want string }{
		{"https://login.example.com", "app.example.com", "https://app.example.com"},
		{"https://login.example.com", "App.Example.Com", "https://app.example.com"},
		{"https://login.example.com:8443", "app.example.com", "https://app.example.com:8443"},
		{"https://login.example.com:8443", "192.0.2.7", "https://192.0.2.7:8443"},
		{"https://login.example.com:8443", "2001:db8::1", "https://[2001:db8::1]:8443"},
		{"https://[2001:db8::1]", "app.example.com", "https://app.example.com"},
		{"https://[2001:db8::1]:8443", "app.example.com", "https://app.example.com:8443"},
		{"http://login.localhost:8080", "app.localhost", "http://app.localhost:8080"},
		{"http://login.localhost:8080", "app.example.com", ""},
		{"https://login.example.com", "*.example.com", ""},
		{"https://login.example.com", "", ""},
		{"https://login.example.com", "a b", ""},
	} {
		portal, err := ParseOrigin(tc.portal)
		if err != nil {
			t.Fatal(err)
		}
		beside, ok := portal.Beside(tc.host)
		if ok != (tc.want != "") || ok && beside.String() != tc.want {
			t.Errorf("%s beside %s: got %s, %t", tc.host, tc.portal, beside, ok)
		}
	}
}

func TestIsHost(t *testing.T) {
	portal := Origin{Secure: true, Host: "login.example.com"}
	for host, want := range map[string]bool{
		"login.example.com": true, "LOGIN.example.com": true, "login.example.com:443": true,
		"login.example.com:8443": false, "login.example.com.": false, "app.example.com": false, "": false, "login.example.com:x": false,
	} {
		if portal.IsHost(host) != want {
			t.Errorf("%q: %t", host, !want)
		}
	}
}

package identity

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// alice is somebody of whom everything is known.
var alice = Identity{
	Account: "a1b2c3",
	Attributes: Attributes{
		Email: "alice@example.test", Name: "Alice Adams", Role: Agent,
		Groups: []string{"dev", "ops"}, Organizations: []string{"Acme", "Umbrella"}, OrganizationIDs: []string{"1", "2"},
		Tags: []string{"vip"}, Phone: "+0012", Locale: "ja", Picture: "https://img.test/a.png", ExternalID: "007",
		CustomRoleID: "42", Fields: map[string]string{"team": "blue", "cost_center": "12"},
	},
}

// headersOf are the headers that an app sees of an identity.
func headersOf(t testing.TB, h *Headers, id Identity) http.Header {
	t.Helper()
	rendered, _ := h.Render(id)
	header := make(http.Header)
	h.Set(header, rendered)
	return header
}

func newHeaders(t testing.TB, preset string, extra map[string]string) *Headers {
	t.Helper()
	h, err := NewHeaders(preset, extra)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestPresets(t *testing.T) {
	remote := map[string]string{
		"Remote-User": "alice@example.test", "Remote-Id": "a1b2c3", "Remote-Email": "alice@example.test",
		"Remote-Name": "Alice Adams", "Remote-Role": "agent", "Remote-Groups": "agent,dev,ops",
		"Remote-Organizations": "Acme,Umbrella", "Remote-Organization-Ids": "1,2", "Remote-Tags": "vip",
		"Remote-Phone": "+0012", "Remote-Locale": "ja", "Remote-Picture": "https://img.test/a.png",
		"Remote-External-Id": "007", "Remote-Field-Team": "blue", "Remote-Field-Cost-Center": "12",
	}
	for _, tc := range []struct {
		preset string
		extra  map[string]string
		want   map[string]string
	}{
		{"", nil, remote},
		{"remote", nil, remote},
		{"x_forwarded", nil, map[string]string{
			"X-Forwarded-User": "alice@example.test", "X-Forwarded-Email": "alice@example.test",
			"X-Forwarded-Preferred-Username": "Alice Adams", "X-Forwarded-Groups": "agent,dev,ops",
		}},
		{"x_auth_request", nil, map[string]string{
			"X-Auth-Request-User": "alice@example.test", "X-Auth-Request-Email": "alice@example.test",
			"X-Auth-Request-Preferred-Username": "Alice Adams", "X-Auth-Request-Groups": "agent,dev,ops",
		}},
		{"none", nil, map[string]string{}},
		{"none", map[string]string{"x-team": "field.team", "X-Groups": "groups", "Remote-User": "email", "X-Webauth-Role": "custom_role_id"}, map[string]string{
			"X-Team": "blue", "X-Groups": "dev,ops", "Remote-User": "alice@example.test", "X-Webauth-Role": "42",
		}},
	} {
		t.Run(tc.preset, func(t *testing.T) {
			got := headersOf(t, newHeaders(t, tc.preset, tc.extra), alice)
			want := make(http.Header)
			for name, value := range tc.want {
				want[name] = []string{value}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

func TestAbsentAttributesHaveNoHeader(t *testing.T) {
	got := headersOf(t, newHeaders(t, "", map[string]string{"X-Floor": "field.floor"}), Identity{
		Account: "a1", Attributes: Attributes{Email: "a@b.test", Role: EndUser, Tags: []string{""}, Fields: map[string]string{"x": ""}},
	})
	want := http.Header{
		"Remote-User": {"a@b.test"}, "Remote-Id": {"a1"}, "Remote-Email": {"a@b.test"},
		"Remote-Role": {"end-user"}, "Remote-Groups": {"end-user"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNewHeadersRefuses(t *testing.T) {
	for _, tc := range []struct {
		preset, name, attribute, wrong string
	}{
		{"basic", "", "", "unknown headers"},
		{"", "X-Team", "team", `unknown attribute "team"`},
		{"", "X-Team", "field.", "1 to 64"},
		{"", "Remote-User", "name", "sent already"},
		{"", "remote_user", "name", "sent already"},
		{"", "Remote-Field-Team", "field.team", "sent for every field"},
		{"x_forwarded", "X-Forwarded-Groups", "tags", "sent already"},
		{"", "", "name", "1 to 100"},
		{"", strings.Repeat("x", 101), "name", "1 to 100"},
		{"", "X Team", "name", "letters"},
		{"", "X-Team:", "name", "letters"},
		{"", "X-Team\r\nX", "name", "letters"},
		{"", "X-日本", "name", "letters"},
		{"", "-X", "name", "begins with"},
		{"", "X-Auth-Gateway-Assertion", "name", "servers and proxies"},
		{"", "Host", "name", "servers and proxies"},
		{"", "cookie", "name", "servers and proxies"},
		{"", "Authorization", "name", "servers and proxies"},
		{"", "Content-Length", "name", "servers and proxies"},
		{"", "Content_Length", "name", "servers and proxies"},
		{"", "Transfer-Encoding", "name", "servers and proxies"},
		{"", "Connection", "name", "servers and proxies"},
		{"", "Upgrade", "name", "servers and proxies"},
		{"", "TE", "name", "servers and proxies"},
		{"", "Trailer", "name", "servers and proxies"},
		{"", "Proxy-Authorization", "name", "servers and proxies"},
		{"", "Proxy", "name", "servers and proxies"},
		{"", "X-Forwarded-For", "name", "servers and proxies"},
		{"", "Forwarded", "name", "servers and proxies"},
		{"", "Sec-Fetch-Mode", "name", "servers and proxies"},
		{"", "Accept", "name", "servers and proxies"},
		{"", "Origin", "name", "servers and proxies"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var extra map[string]string
			if tc.attribute != "" {
				extra = map[string]string{tc.name: tc.attribute}
			}
			if _, err := NewHeaders(tc.preset, extra); err == nil || !strings.Contains(err.Error(), tc.wrong) {
				t.Errorf("got error %v, want one that says %q", err, tc.wrong)
			}
		})
	}
	if _, err := NewHeaders("none", map[string]string{"X-Team": "name", "X_Team": "email"}); err == nil {
		t.Error("two spellings of one header are sent")
	}
}

func TestSetLeavesNothingShared(t *testing.T) {
	h := newHeaders(t, "", nil)
	rendered, _ := h.Render(alice)
	first, second := make(http.Header), make(http.Header)
	h.Set(first, rendered)
	first["Remote-User"][0] = "mallory@example.test"
	first.Add("Remote-Id", "x")
	first["Remote-Email"] = append(first["Remote-Email"], "x")
	if first.Get("Remote-Name") != "Alice Adams" || first.Get("Remote-Role") != "agent" {
		t.Errorf("one header wrote into another: %v", first)
	}
	h.Set(second, rendered)
	if got := headersOf(t, h, alice); !reflect.DeepEqual(second, got) {
		t.Errorf("one request wrote into another: %v", second)
	}
}

func BenchmarkSet(b *testing.B) {
	h := newHeaders(b, "", nil)
	rendered, _ := h.Render(Identity{Account: "a1", Attributes: Attributes{Email: "alice@example.test", Name: "Alice", Role: EndUser}})
	if rendered.Len() != 6 {
		b.Fatalf("%d headers, want 6", rendered.Len())
	}
	header := make(http.Header, 32)
	b.ReportAllocs()
	for b.Loop() {
		h.Set(header, rendered)
	}
}

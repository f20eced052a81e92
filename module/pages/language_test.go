package pages

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestLanguage(t *testing.T) {
	for _, test := range []struct {
		name, configured, query, cookie, accept string
		want                                    string
	}{
		{name: "nothing asked for", want: "en"},
		{name: "browser", accept: "ja,en;q=0.5", want: "ja"},
		{name: "browser with a region", accept: "ja-JP", want: "ja"},
		{name: "browser weighs", accept: "ja;q=0.2,en-GB;q=0.9", want: "en"},
		{name: "browser asks for what there is not", accept: "de,fr", want: "en"},
		{name: "browser asks for what there is not first", accept: "de,ja;q=0.4", want: "ja"},
		{name: "related is not the same", accept: "zh-CN", want: "en"},
		{name: "nonsense", accept: ";;;=,,", want: "en"},
		{name: "endless", accept: strings.Repeat("a-", 5000), want: "en"},
		{name: "cookie before browser", cookie: "ja", accept: "en", want: "ja"},
		{name: "unknown cookie", cookie: "xx", accept: "ja", want: "ja"},
		{name: "query before cookie", query: "?lang=en", cookie: "ja", want: "en"},
		{name: "unknown query", query: "?lang=%22%3E", cookie: "ja", want: "ja"},
		{name: "configured before all", configured: "ja", query: "?lang=en", cookie: "en", accept: "en", want: "ja"},
		{name: "configured with a region", configured: "en-GB", accept: "ja", want: "en"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPages(t, Brand{}, test.configured)
			for _, cookie := range []string{LanguageCookie, "__Host-" + LanguageCookie} {
				r := httptest.NewRequest("GET", "/auth-gateway/sign-in"+test.query, nil)
				r.Header.Set("Accept-Language", test.accept)
				if test.cookie != "" {
					r.AddCookie(&http.Cookie{Name: cookie, Value: test.cookie})
				}
				if got := p.Language(r); got != test.want {
					t.Errorf("%s, want %s", got, test.want)
				}
			}
		})
	}
}

func TestKeepLanguage(t *testing.T) {
	for _, test := range []struct {
		name, configured, query string
		secure                  bool
		want                    string
	}{
		{"https", "", "?lang=ja", true, "__Host-auth_gateway_lang=ja; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax"},
		{"http", "", "?lang=ja", false, "auth_gateway_lang=ja; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"},
		{"not asked for", "", "", true, ""},
		{"unknown", "", "?lang=ja%0d%0aX:1", true, ""},
		{"fixed", "en", "?lang=ja", true, ""},
	} {
		w := httptest.NewRecorder()
		newPages(t, Brand{}, test.configured).KeepLanguage(w, httptest.NewRequest("GET", "/"+test.query, nil), test.secure)
		if got := w.Header().Get("Set-Cookie"); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestLanguageSwitch(t *testing.T) {
	for _, test := range []struct {
		name, configured, self string
		want                   string // href of the Japanese page, "" for no switch
	}{
		{"keeps the query", "", "/auth-gateway/sign-in?return_to=%2Fa%3Fb%3Dc%26d", "/auth-gateway/sign-in?lang=ja&amp;return_to=%2Fa%3Fb%3Dc%26d"},
		{"replaces a language", "", "/x?lang=en", "/x?lang=ja"},
		{"keeps an odd path", "", "/a%2Fb", "/a%2Fb?lang=ja"},
		{"a post", "", "", ""},
		{"a fixed language", "en", "/x", ""},
		{"another host", "", "//evil.example/x", ""},
		{"another host, as browsers read it", "", `/\evil.example/x`, ""},
		{"another scheme", "", "https://evil.example/x", ""},
		{"a control character", "", "/\t/evil.example", ""},
	} {
		p := newPages(t, Brand{}, test.configured)
		body, err := io.ReadAll(write(t, p, View{Host: "h", Self: test.self, Language: "en"}, SignOut{}).Body)
		if err != nil {
			t.Fatal(err)
		}
		_, foot, found := strings.Cut(string(body), "<footer>")
		if found != (test.want != "") {
			t.Errorf("%s: switch %t", test.name, found)
		}
		if want := `<a href="` + test.want + `" lang="ja" hreflang="ja">日本語</a>`; found && !strings.Contains(foot, want) {
			t.Errorf("%s: no %s in %s", test.name, want, foot)
		}
		if found && !strings.Contains(foot, `aria-current="true">English`) {
			t.Errorf("%s: English is not marked: %s", test.name, foot)
		}
	}
}

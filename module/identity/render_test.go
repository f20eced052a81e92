package identity

import (
	"mime"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func TestRenderValues(t *testing.T) {
	long := strings.Repeat("日本語", 40)
	for _, tc := range []struct {
		name    string
		person  Attributes
		header  string
		want    string // decoded by hand where it is encoded
		raw     string // what is sent, where that matters
		leftOut []string
	}{
		{"plain", Attributes{Name: "Alice"}, "Remote-Name", "Alice", "Alice", nil},
		{"a comma in a single value", Attributes{Name: "Adams, Alice"}, "Remote-Name", "Adams, Alice", "Adams, Alice", nil},
		{"an accent", Attributes{Name: "Alexander Jürgensen"}, "Remote-Name", "Alexander Jürgensen", "=?utf-8?q?Alexander_J=C3=BCrgensen?=", nil},
		{"another alphabet", Attributes{Name: "山田太郎"}, "Remote-Name", "山田太郎", "=?utf-8?b?5bGx55Sw5aSq6YOO?=", nil},
		{"long", Attributes{Name: long}, "Remote-Name", long, "", nil},
		{"what reads as an encoded word", Attributes{Name: "=?utf-8?q?admin?="}, "Remote-Name", "=?utf-8?q?admin?=", "=?utf-8?b?PT91dGYtOD9xP2FkbWluPz0=?=", nil},
		{"and among other words", Attributes{Name: "a =?utf-8?q?b?= é"}, "Remote-Name", "a =?utf-8?q?b?= é", "", nil},
		{"long, reads as an encoded word", Attributes{Name: "=?" + long + "?="}, "Remote-Name", "=?" + long + "?=", "", nil},
		{"spaces around", Attributes{Name: "  Alice "}, "Remote-Name", "Alice", "Alice", nil},
		{"only spaces", Attributes{Name: " \t"}, "Remote-Name", "", "", nil},
		{"a line break", Attributes{Name: "Alice\r\nRemote-Role: admin"}, "Remote-Name", "", "", []string{"name"}},
		{"a NUL", Attributes{Name: "Al\x00ice"}, "Remote-Name", "", "", []string{"name"}},
		{"a tab", Attributes{Name: "Al\tice"}, "Remote-Name", "", "", []string{"name"}},
		{"a C1 control", Attributes{Name: "Al\u0085ice"}, "Remote-Name", "", "", []string{"name"}},
		{"not UTF-8", Attributes{Name: "Al\xffice"}, "Remote-Name", "", "", []string{"name"}},

		{"a list", Attributes{Tags: []string{"a", "b c"}}, "Remote-Tags", "a,b c", "a,b c", nil},
		{"a list, member by member", Attributes{Tags: []string{"a", "é", "日本"}}, "Remote-Tags", "a,é,日本", "a,=?utf-8?b?w6k=?=,=?utf-8?b?5pel5pys?=", nil},
		{"a list with a comma in it", Attributes{Tags: []string{"a", "admin,root", "b"}}, "Remote-Tags", "a,b", "a,b", []string{"tags"}},
		{"a list with a control character in it", Attributes{Tags: []string{"a\nb", "c"}}, "Remote-Tags", "c", "c", []string{"tags"}},
		{"a list of which nothing is left", Attributes{Tags: []string{"a,b"}}, "Remote-Tags", "", "", []string{"tags"}},
		{"a list with empty members", Attributes{Tags: []string{"", " ", "a"}}, "Remote-Tags", "a", "a", nil},
		{"an encoded word in a list", Attributes{Tags: []string{"=?utf-8?q?a=2Cb?="}}, "Remote-Tags", "=?utf-8?q?a=2Cb?=", "", nil},

		{"role and groups", Attributes{Role: Agent, Groups: []string{"dev", "agent", "ops"}}, "Remote-Groups", "agent,dev,ops", "agent,dev,ops", nil},
		{"a group with a comma", Attributes{Role: Agent, Groups: []string{"dev,admin"}}, "Remote-Groups", "agent", "agent", []string{"groups"}},
		{"a field", Attributes{Fields: map[string]string{"cost_center": "é"}}, "Remote-Field-Cost-Center", "é", "", nil},
		{"a field that makes no header", Attributes{Fields: map[string]string{"a b": "x"}}, "Remote-Field-A b", "", "", []string{"field.a b"}},
		{"a field that would break the header", Attributes{Fields: map[string]string{"a:\r\nx": "x"}}, "", "", "", []string{"field.a:\r\nx"}},
		{"two fields with one header", Attributes{Fields: map[string]string{"a-b": "1", "a_b": "2"}}, "Remote-Field-A-B", "1", "1", []string{"field.a_b"}},
		{"a field with a line break", Attributes{Fields: map[string]string{"x": "a\nb"}}, "Remote-Field-X", "", "", []string{"field.x"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHeaders(t, "", nil)
			rendered, leftOut := h.Render(Identity{Attributes: tc.person})
			if !reflect.DeepEqual(leftOut, tc.leftOut) {
				t.Errorf("left out %q, want %q", leftOut, tc.leftOut)
			}
			header := make(http.Header)
			h.Set(header, rendered)
			raw := header.Get(tc.header)
			if tc.raw != "" && raw != tc.raw {
				t.Errorf("sent %q, want %q", raw, tc.raw)
			}
			if got := decodeList(t, raw); got != tc.want {
				t.Errorf("read as %q, want %q", got, tc.want)
			}
			for _, word := range strings.Fields(raw) {
				if strings.HasPrefix(word, "=?") && !strings.Contains(word, ",") && len(word) > 75 {
					t.Errorf("an encoded word of %d characters, RFC 2047 allows 75", len(word))
				}
			}
		})
	}
}

// decodeList reads a header as an app does: apart at commas, then word by word.
func decodeList(t *testing.T, raw string) string {
	t.Helper()
	var decoded []string
	for member := range strings.SplitSeq(raw, ",") {
		text, err := new(mime.WordDecoder).DecodeHeader(member)
		if err != nil {
			t.Fatal(err)
		}
		decoded = append(decoded, text)
	}
	return strings.Join(decoded, ",")
}

func BenchmarkRender(b *testing.B) {
	h := newHeaders(b, "", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.Render(alice)
	}
}

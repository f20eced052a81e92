package pages

import "testing"

// TestBreakable lets long names break between their parts, and nothing else.
func TestBreakable(t *testing.T) {
	for text, want := range map[string]string{
		"Sign in to app.example.com":                      "Sign in to app.example.com",
		"Go to intranet.department.example.co.jp.":        "Go to intranet<wbr>.department<wbr>.example<wbr>.co<wbr>.jp.",
		"alice.liddell@customers.example.test":            "alice<wbr>.liddell<wbr>@customers<wbr>.example<wbr>.test",
		"your name or e-mail address":                     `your name or <span class="whole">e-mail</span> address`,
		"a.b.c.d.e.f.g.h.i.j.k.l":                         "a<wbr>.b<wbr>.c<wbr>.d<wbr>.e<wbr>.f<wbr>.g<wbr>.h<wbr>.i<wbr>.j<wbr>.k<wbr>.l",
		"......................":                          "......................",
		"<script>alert(1)</script>.example.test&\"quot\"": "&lt;script&gt;alert(1)&lt;/script&gt;.example<wbr>.test&amp;&#34;quot&#34;",
		"同意するか、app.example.com の管理者に依頼してください。":            "同意するか、app.example.com の管理者に依頼してください。",
		"同意するか、intranet.department.example.jpの管理者に":       "同意するか、intranet<wbr>.department<wbr>.example<wbr>.jpの管理者に",
		"従業員福利厚生総合情報システムのアカウントで続ける。":                      "従業員福利厚生総合情報システムのアカウントで続ける。",
	} {
		if got := string((*shown)(nil).Breakable(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

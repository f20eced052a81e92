//go:build integration

package harness

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"golang.org/x/net/websocket"
)

// A Caddy without a gateway shows that the harness tells the truth.
func plain(t *testing.T) (*Caddy, *App) {
	app := StartApp(t)
	return Start(t, Options{App: app, Sites: `
{$SITE} {
	log
	reverse_proxy {$APP} {
		flush_interval -1
	}
}`}), app
}

func TestAppShowsWhatItReceived(t *testing.T) {
	c, app := plain(t)
	r := c.Browser().Request("POST", "/x?y=1", strings.NewReader("hello"))
	r.Header["remote-uSER"] = []string{"mallory"}
	got := c.Browser().Send(r).Want(200).App()
	if got.Method != "POST" || got.URI != "/x?y=1" || got.Body != "hello" || got.Size != 5 {
		t.Errorf("not what was sent: %+v", got)
	}
	if !strings.Contains(got.Head, "\r\nRemote-User: mallory") {
		t.Errorf("head without the header: %q", got.Head)
	}
	if app.Count() != 1 {
		t.Errorf("%d requests", app.Count())
	}
}

func TestStreams(t *testing.T) {
	c, app := plain(t)
	client := c.Program()
	resp := client.Stream(client.Request("GET", "/events", nil))
	lines := bufio.NewScanner(resp.Body)
	if !lines.Scan() || lines.Text() != "data: 1" {
		t.Fatalf("first event: %q", lines.Text())
	}
	app.Release()
	app.Release()
	rest, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 || lines.Err() != nil {
		t.Errorf("%d %q %v", resp.StatusCode, rest, lines.Err())
	}
	ws, err := websocket.Dial(strings.Replace(c.URL, "http", "ws", 1)+"/ws", "", c.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	_, _ = ws.Write([]byte("ping"))
	answer := make([]byte, 4)
	if _, err := io.ReadFull(ws, answer); err != nil || string(answer) != "ping" {
		t.Errorf("%q %v", answer, err)
	}
}

func TestKillRestartReload(t *testing.T) {
	c, _ := plain(t)
	c.Kill()
	if c.Running() {
		t.Fatal("still running")
	}
	c.Run()
	c.Configure("", "{$SITE} {\n\trespond teapot 418\n}")
	c.Reload()
	c.Browser().Get("/").Want(http.StatusTeapot)
	c.Restart()
	c.Browser().Get("/").Want(http.StatusTeapot)
	c.Configure("", "{$SITE} {\n\tno_such_directive\n}")
	if r := c.TryReload(); r.Status == 0 || !strings.Contains(r.Stderr, "Caddyfile:") {
		t.Errorf("bad reload: %+v", r)
	}
}

func TestSecretsAreFound(t *testing.T) {
	c, _ := plain(t)
	for secret, line := range map[string]string{
		"hunter2hunter2": `{"msg":"password hunter2hunter2"}`,
		"123456":         `{"msg":"code 123456"}`,
	} {
		if !contains(secret)(line) {
			t.Errorf("%s not found in %s", secret, line)
		}
	}
	for _, line := range []string{`{"ts":1700000000.123456}`, `{"size":91234567}`} {
		if contains("123456")(line) {
			t.Errorf("a code in %s", line)
		}
	}
	c.Browser().Get("/seen")
	c.WaitLog("the access", func(e Entry) bool { return e.Text("request.uri") == "/seen" })
}

func TestFromAnAddress(t *testing.T) {
	c, _ := plain(t)
	got := c.Browser(From("127.9.0.1")).Get("/").App()
	if got.Header.Get("X-Forwarded-For") != "127.9.0.1" {
		t.Errorf("from %q", got.Header.Get("X-Forwarded-For"))
	}
}

func TestCertificate(t *testing.T) {
	cert, key, roots := Certificate(t, "app.example.test")
	c := Start(t, Options{App: StartApp(t), Env: map[string]string{"CERT": cert, "KEY": key}, Sites: `
https://app.example.test:{$PORT} {
	tls {$CERT} {$KEY}
	reverse_proxy {$APP}
}`})
	c.Browser(At("https://app.example.test:"+c.Env("PORT")), Trust(roots)).Get("/").Want(200)
}

func TestAuthenticatorCodes(t *testing.T) {
	c := New(t, Options{})
	a := c.NewAuthenticator("JBSW Y3DP EHPK 3PXP")
	if first, second := a.Code(), a.Code(); first == second || len(first) != 6 {
		t.Errorf("%q, %q", first, second)
	}
}

func TestProviders(t *testing.T) {
	party := RelyingParty{ID: "gate", Secret: "only for tests", RedirectURI: "http://localhost:9/cb"}
	query := "?response_type=code&client_id=gate&scope=openid+email&state=s&nonce=n&redirect_uri=http%3A%2F%2Flocalhost%3A9%2Fcb"
	t.Run("oidc-provider", func(t *testing.T) {
		p := StartProvider(t, party)
		client := NewClient(t, p.Issuer)
		page := client.Open("/auth" + query)
		page = client.Submit(page.Form("login").Set("login", "bob"))
		for page.Location().Host != "localhost:9" {
			page = client.Get(page.Location().String())
		}
		if back := page.Location().Query(); back.Get("code") == "" || back.Get("iss") != p.Issuer {
			t.Errorf("%v", back)
		}
	})
	t.Run("LemonLDAP::NG", func(t *testing.T) {
		l := StartLemonLDAP(t, party)
		client := NewClient(t, l.Issuer)
		page := client.Open("oauth2/authorize" + query)
		page = client.Submit(page.Form("password").Set("user", "dwho").Set("password", "dwho"))
		if page.Location().Query().Get("code") == "" {
			t.Errorf("%v", page)
		}
	})
}

func TestChromium(t *testing.T) {
	t.Setenv(EnvOutput, t.TempDir())
	c := Start(t, Options{Sites: `
{$SITE} {
	header Content-Type text/html
	respond /next "<!DOCTYPE html><h1>{query.login}</h1>"
	respond "<!DOCTYPE html><form action='/next'><input name='login'><button>Go on</button></form>"
}`})
	b := StartChromium(t, "en")
	b.Open(c.URL)
	b.Type("login", "bob")
	b.Submit("login")
	b.WaitText("bob")
	b.Phone()
	b.Dark()
	b.Screenshot("page")
	if files, _ := os.ReadDir(os.Getenv(EnvOutput)); len(files) != 1 || !strings.HasSuffix(b.Address(), "/next?login=bob") {
		t.Errorf("%v at %s", files, b.Address())
	}
}

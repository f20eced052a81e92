package main

import (
	"html/template"
	"net/http"
	"slices"
	"strings"
)

const style = `
:root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif }
body { max-width: 44rem; margin: 8vh auto; padding: 0 1.25rem }
h1 { font-size: 1.5rem; margin: 0 0 .25rem }
p { margin: .5rem 0 1.5rem; opacity: .8 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .6rem .75rem; border-bottom: 1px solid #8884; overflow-wrap: anywhere }
th { font-weight: 500; width: 14rem }
td { font-family: ui-monospace, monospace; font-size: .9rem }
nav { display: flex; gap: 1.5rem; margin-top: 1.5rem }
a { color: light-dark(#1a56c4, #8ab4ff) }
button { display: block; width: 100%; margin: .75rem 0; padding: .7rem 1rem; font: inherit; text-align: left;
  border: 1px solid #8886; border-radius: .5rem; background: none; color: inherit; cursor: pointer }
button:hover, button:focus-visible { border-color: currentColor }
form { max-width: 24rem }
`

var appPage = template.Must(template.New("app").Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>The app</title><style>` + style + `</style>
<h1>Hello, {{.Who}}</h1>
<p>This is the app behind the gateway. For {{.Method}} {{.Path}} at {{.Host}} it received:</p>
<table>
{{range .Headers}}<tr><th>{{.Name}}<td>{{.Value}}
{{else}}<tr><td>no identity headers
{{end}}</table>
<nav><a href="/auth-gateway/account">Your account</a> <a href="/auth-gateway/whoami">Identity as JSON</a> <a href="/auth-gateway/sign-out">Sign out</a></nav>
</html>
`))

type header struct{ Name, Value string }

// app returns the protected app: a page with the identity headers it received.
func app() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var headers []header
		for name, values := range r.Header {
			if strings.HasPrefix(name, "Remote-") {
				headers = append(headers, header{name, strings.Join(values, " | ")})
			}
		}
		slices.SortFunc(headers, func(a, b header) int { return strings.Compare(a.Name, b.Name) })
		who := r.Header.Get("Remote-Name")
		if who == "" {
			who = r.Header.Get("Remote-User")
		}
		if who == "" {
			who = "whoever you are"
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = appPage.Execute(w, struct {
			Who, Method, Path, Host string
			Headers                 []header
		}{who, r.Method, r.URL.Path, r.Host, headers})
	})
}

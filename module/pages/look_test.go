//go:build integration

package pages

import (
	"context"
	"fmt"
	"html/template"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
)

// TestLook opens every page in every state in both languages, once, and there
//
//   - measures that everything fits: on the smallest phone, at 200 % zoom, with
//     letters twice as large;
//   - sees to it that the policy blocks nothing of it;
//   - has axe-core look at it, and at its colours in the dark as well;
//   - takes a picture on a phone and on a desk, light and dark, into the folder
//     that PAGES_OUTPUT names, if it does; index.html there shows them all.
//
// PAGES_ONLY picks states by a regular expression.
func TestLook(t *testing.T) {
	folder := outputFolder(t)
	only, err := regexp.Compile(os.Getenv("PAGES_ONLY"))
	if err != nil {
		t.Fatal(err)
	}
	axe, err := newAxe()
	if err != nil {
		t.Fatal(err)
	}

	var states []state
	for _, e := range exhibitions() {
		server := httptest.NewServer(site(newPages(t, e.brand, ""), e.samples))
		defer server.Close()
		for _, s := range e.samples {
			for _, lang := range []string{"en", "ja"} {
				if name := e.prefix + s.name; only.MatchString(name) {
					states = append(states, state{name: name, lang: lang, address: server.URL + "/" + s.name + "?lang=" + lang})
				}
			}
		}
	}
	if len(states) == 0 {
		t.Fatalf("no state is named like %q", only)
	}

	ctx := browser(t)
	axe.mustFind(t, ctx)
	work := make(chan state)
	var tabs sync.WaitGroup
	for range 2 {
		l := &look{t: t, ctx: tab(t, ctx), axe: axe, folder: folder}
		l.listen()
		tabs.Go(func() {
			for s := range work {
				l.at(s)
			}
		})
	}
	for _, s := range states {
		work <- s
	}
	close(work)
	tabs.Wait()
	if folder == "" {
		return
	}
	if err := writeIndex(filepath.Join(folder, "index.html"), states); err != nil {
		t.Error(err)
	}
}

// outputFolder is where pictures go, "" if none are taken.
func outputFolder(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("PAGES_OUTPUT")
	if folder == "" {
		return ""
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// state is one page in one state and language.
type state struct{ name, lang, address string }

// file is the picture of a state.
func (s state) file(width int64, scheme string) string {
	return fmt.Sprintf("%s.%s.%d.%s.png", s.name, s.lang, width, scheme)
}

// look is a tab in which states are looked at.
type look struct {
	t      *testing.T
	ctx    context.Context
	axe    axe
	folder string
}

// listen reports what the policy of a page blocks.
func (l *look) listen() {
	events := chromedp.Events(l.ctx, log.EntryAdded)
	go func() {
		for event, err := range events {
			if err != nil {
				return // the tab is closed
			}
			if strings.Contains(event.Entry.Text, "Content Security Policy") {
				l.t.Error(event.Entry.Text)
			}
		}
	}()
}

func (l *look) at(s state) {
	l.must(s, chromedp.Do(l.ctx, scheme("light"), visit(s.address, 1280)))
	for _, room := range rooms {
		found, err := chromedp.Run(l.ctx, room.measure())
		l.must(s, err)
		for _, what := range found {
			l.t.Errorf("%s in %s %s: %s", s.name, s.lang, room.name, what)
		}
	}
	l.must(s, l.axe.load(l.ctx))
	for _, name := range []string{"light", "dark"} {
		l.must(s, chromedp.Do(l.ctx, scheme(name)))
		if l.folder != "" {
			l.photograph(s, name)
		}
		rules := axeEverything
		if name == "dark" {
			if s.lang != "en" {
				continue // the colours are the same in every language
			}
			rules = axeColours // the rest is the same
		}
		found, err := l.axe.check(l.ctx, rules)
		l.must(s, err)
		if found != "" {
			l.t.Errorf("%s in %s, %s: %s", s.name, s.lang, name, found)
		}
	}
}

// photograph takes the pictures of a state in a colour scheme.
func (l *look) photograph(s state, scheme string) {
	for _, width := range []int64{375, 1280} {
		height := int64(800)
		if width == 375 {
			height = 720
		}
		png, err := chromedp.Run(l.ctx, picture(width, height))
		l.must(s, err)
		l.must(s, os.WriteFile(filepath.Join(l.folder, s.file(width, scheme)), png, 0o644))
	}
}

// must reports what keeps a state from being looked at.
func (l *look) must(s state, err error) {
	if err != nil {
		l.t.Errorf("%s in %s: %v", s.name, s.lang, err)
	}
}

var index = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Every page in every state</title>
<style>
body { margin: 1rem; background: #8f98a8; font-family: sans-serif; }
section { display: flex; gap: .5rem; align-items: flex-start; }
img { height: auto; }
</style>
{{range .}}
<h2 id="{{.Name}}.{{.Lang}}">{{.Name}} ({{.Lang}})</h2>
<section>{{range .Pictures}}<a href="{{.File}}"><img src="{{.File}}" width="{{.Width}}" alt="" loading="lazy"></a>{{end}}</section>
{{end}}
`))

// writeIndex writes a page that shows all pictures.
func writeIndex(file string, states []state) error {
	type picture struct {
		File  string
		Width int64
	}
	type entry struct {
		Name, Lang string
		Pictures   []picture
	}
	var entries []entry
	for _, s := range states {
		e := entry{Name: s.name, Lang: s.lang}
		for _, width := range []int64{375, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				e.Pictures = append(e.Pictures, picture{s.file(width, scheme), width * 3 / 5})
			}
		}
		entries = append(entries, e)
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	return index.Execute(out, entries)
}

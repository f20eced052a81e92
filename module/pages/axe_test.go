//go:build integration

package pages

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axeFile is axe-core (https://github.com/dequelabs/axe-core), as
// package-lock.json pins it.
const axeFile = "../../integration/npm/node_modules/axe-core/axe.min.js"

// axe finds what assistive technology would stumble over.
type axe struct{ source string }

func newAxe() (axe, error) {
	source, err := os.ReadFile(axeFile)
	if err != nil {
		return axe{}, fmt.Errorf("axe-core is needed, \"npm ci\" in integration/npm installs it: %w", err)
	}
	return axe{string(source)}, nil
}

// The rules: all that axe-core has for WCAG 2.2 A and AA, its best practices
// and its experiments. None is switched off.
const (
	axeEverything = `{type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental"]}`
	axeColours    = `{type: "rule", values: ["color-contrast", "link-in-text-block"]}`
)

// load puts axe into the page that is open.
func (a axe) load(ctx context.Context) error {
	return chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](a.source))
}

// mustFind fails the test unless axe finds what is wrong with a page.
func (a axe) mustFind(t *testing.T, ctx context.Context) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Navigate("data:text/html,<title>x</title><input><button style='padding:0;width:9px'>a</button><button style='padding:0;width:9px'>b</button><p style='color:%23ccc'>pale")); err != nil {
		t.Fatal(err)
	}
	if err := a.load(ctx); err != nil {
		t.Fatal(err)
	}
	found, err := a.check(ctx, axeEverything)
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range []string{"label:", "color-contrast:", "html-has-lang:", "landmark-one-main:", "target-size:"} {
		if !strings.Contains(found, rule) {
			t.Errorf("axe does not find %s in\n%s", rule, found)
		}
	}
}

// check returns what the rules say against the page that is open, "" for
// nothing.
func (a axe) check(ctx context.Context, rules string) (string, error) {
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`axe.run(document, {runOnly: `+rules+`, resultTypes: ["violations"]}).then(
		r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + v.help + ": " + n.html.slice(0, 200) + " " + n.failureSummary)))`,
		func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) }))
	return strings.Join(found, "\n"), err
}

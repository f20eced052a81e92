//go:build integration

package pages

import (
	"context"

	"github.com/chromedp/chromedp"
)

// room is what a page may have to do with.
type room struct {
	name          string
	width, height int64
	letters       string // size of the letters, in proportion to the default
}

// The rooms: WCAG 2.2 asks for 320 CSS pixels without scrolling sideways
// (1.4.10) and for letters twice as large (1.4.4).
var rooms = []room{
	{"on the smallest phone", 320, 568, "100%"},
	{"on a phone", 375, 720, "100%"},
	{"on a phone with letters twice as large", 375, 720, "200%"},
	{"at 200 % zoom", 640, 512, "100%"},
	{"on a desk with letters twice as large", 1280, 800, "200%"},
	{"on a desk", 1280, 800, "100%"},
}

// measure returns what does not fit.
func (r room) measure() chromedp.Action[[]string] {
	return func(ctx context.Context, t *chromedp.Target) ([]string, error) {
		if _, err := window(r.width, r.height)(ctx, t); err != nil {
			return nil, err
		}
		return chromedp.Evaluate[[]string]("("+unfit+`)("`+r.letters+`")`)(ctx, t)
	}
}

// unfit lists what cannot be read or hit: what is wider than the window, runs
// out of its box, lies over something else, or is less than 44 pixels tall.
const unfit = `letters => {
	const root = document.documentElement, found = [];
	root.style.fontSize = letters;
	if (root.scrollWidth > root.clientWidth) found.push("the page is " + root.scrollWidth + " wide");
	if (getComputedStyle(document.body).display !== "flex") found.push("the stylesheet is blocked");

	const shown = e => e.checkVisibility() && !e.closest(".away");
	const name = e => e.outerHTML.slice(0, 120);
	for (const e of document.querySelectorAll("button, .button, summary, .more a, footer a, input:not([type=hidden])")) {
		const box = (e.type === "checkbox" ? e.labels[0] : e).getBoundingClientRect();
		if (shown(e) && box.height < 44) found.push(name(e) + " is " + box.height + " tall");
	}

	// A field may hold more than it shows, nothing else.
	for (const e of document.querySelectorAll("body *")) {
		if (!shown(e) || e.matches("input, svg *, br")) continue;
		if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline") {
			found.push(name(e) + " is " + e.scrollWidth + " wide in " + e.clientWidth);
		}
	}

	// Lines of text and boxes to use, each with where it is.
	const things = [];
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const parent = texts.currentNode.parentElement;
		if (!texts.currentNode.data.trim() || !shown(parent)) continue;
		const range = document.createRange();
		range.selectNodeContents(texts.currentNode);
		for (const box of range.getClientRects()) {
			if (box.width) things.push({what: texts.currentNode.data.trim().slice(0, 60), node: texts.currentNode, box});
		}
	}
	for (const e of document.querySelectorAll("input:not([type=hidden]), button, .button, img, svg")) {
		if (shown(e)) things.push({what: name(e), node: e, box: e.getBoundingClientRect()});
	}
	const card = document.querySelector(".card").getBoundingClientRect();
	things.forEach((a, i) => {
		if (a.box.left < -1 || a.box.right > innerWidth + 1 || a.box.top + scrollY < -1) found.push(a.what + " is outside the window");
		if (a.node.parentElement.closest(".card") && (a.box.left < card.left || a.box.right > card.right)) found.push(a.what + " is outside the card");
		for (const b of things.slice(i + 1)) {
			if (a.node === b.node || a.node.contains(b.node) || b.node.contains(a.node)) continue;
			const across = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
			const down = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
			// The boxes of two lines of text overlap by what their letters leave free.
			if (across > 1 && down > 6) found.push(a.what + " lies over " + b.what);
		}
	});
	root.style.fontSize = "";
	return found;
}`

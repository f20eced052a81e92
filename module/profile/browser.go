package profile

import (
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
)

// mark is what a User-Agent holds of something that people know by a name.
type mark struct{ text, name string }

// Browsers say that they are others as well: the more special one comes first.
var browsers = []mark{
	{"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"Edg/", "Edge"}, {"Edge/", "Edge"},
	{"OPR/", "Opera"}, {"OPT/", "Opera"}, {"Opera", "Opera"},
	{"SamsungBrowser/", "Samsung Internet"},
	{"Vivaldi/", "Vivaldi"},
	{"DuckDuckGo/", "DuckDuckGo"}, {"Ddg/", "DuckDuckGo"},
	{" Line/", "LINE"},
	{"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"},
	{"CriOS/", "Chrome"}, {"Chromium/", "Chromium"}, {"Chrome/", "Chrome"},
	{"Version/", "Safari"}, // with Safari/, which the others above have too
}

// An iPad says that it is a Mac unless it is told not to.
var systems = []mark{
	{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"iPod", "iPod"},
	{"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
	{"Macintosh", "Mac"}, {"Mac OS X", "Mac"}, {"Linux", "Linux"},
}

// recognise tells what a browser is from its User-Agent, in words that people
// use, as far as it is one of those that people use.
func recognise(agent string) (b pages.AccountBrowser) {
	b.Given = agent
	if !strings.HasPrefix(agent, "Mozilla/") && !strings.HasPrefix(agent, "Opera/") {
		return b // a program: what it says of itself is its name
	}
	for _, m := range browsers {
		if strings.Contains(agent, m.text) && (m.name != "Safari" || strings.Contains(agent, "Safari/")) {
			b.Browser = m.name
			break
		}
	}
	for _, m := range systems {
		if strings.Contains(agent, m.text) {
			b.System = m.name
			break
		}
	}
	return b
}

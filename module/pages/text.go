package pages

import (
	"net"
	"strings"
)

// TextMessage is a passcode as a text message. Its last line says which site the
// code is for, so that phones fill it in there and nowhere else.
func (p *Pages) TextMessage(language, host, code string) (string, error) {
	c := p.languages.spoken(language)
	text, err := c.say("text_message", "host", host, "code", code)
	if err != nil {
		return "", err
	}
	bare := host
	if name, _, err := net.SplitHostPort(host); err == nil {
		bare = name
	}
	// Phones look for the code between plain spaces.
	return strings.ReplaceAll(text, "\u00a0", " ") + "\n\n@" + bare + " #" + code, nil
}

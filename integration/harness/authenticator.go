package harness

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// step is how long a code of an authenticator app counts.
const step = 30 * time.Second

// Authenticator is an authenticator app, played by oathtool.
type Authenticator struct {
	t    testing.TB
	key  string
	tool string
	used int64 // the latest time step of which a code was given
}

// NewAuthenticator returns an app that holds the typed key of a page.
func (c *Caddy) NewAuthenticator(key string) *Authenticator {
	c.t.Helper()
	key = strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, key)
	if key == "" {
		c.t.Fatal("no key for the authenticator app")
	}
	c.SecretAtRest("the key of an authenticator app", key)
	return &Authenticator{t: c.t, key: key, tool: tool(c.t, "oathtool")}
}

// Code returns a code of a later time step than all before, as late ones may
// not be used again. It first gives the code of the step just over, then of
// this one, then of the next, all of which count now; then it waits.
func (a *Authenticator) Code() string {
	a.t.Helper()
	now := time.Now()
	current := now.Unix() / int64(step.Seconds())
	next := current
	// Close to its end, the step before would be two steps ago on arrival.
	if left := step - time.Duration(now.UnixNano())%step; left > 5*time.Second {
		next = current - 1
	}
	next = max(next, a.used+1)
	if due := time.Unix((next-1)*int64(step.Seconds()), 0); next > current+1 {
		time.Sleep(time.Until(due) + time.Second)
	}
	a.used = next
	return a.at(next)
}

// Current returns the code that an app shows now, used or not.
func (a *Authenticator) Current() string {
	a.t.Helper()
	return a.at(time.Now().Unix() / int64(step.Seconds()))
}

// Old returns a code that no longer counts.
func (a *Authenticator) Old() string {
	a.t.Helper()
	return a.at(time.Now().Unix()/int64(step.Seconds()) - 20)
}

func (a *Authenticator) at(timeStep int64) string {
	a.t.Helper()
	now := fmt.Sprintf("@%d", timeStep*int64(step.Seconds()))
	out, err := exec.Command(a.tool, "--totp", "--base32", "--now", now, a.key).Output()
	if err != nil {
		a.t.Fatalf("oathtool: %v", err)
	}
	return strings.TrimSpace(string(out))
}

package signin_test

import (
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// F2, F3, F6 and F8 in every combination: the operator changes second_factor
// while somebody is signed in, or half-way, and what comes next is what the new
// setting asks of that person.
func TestSettingChangesMeanwhile(t *testing.T) {
	settings := []string{policy.Off, policy.SecondFactorOptional, policy.SecondFactorRequired}
	people := []string{"nobody's factor", "chose one", "had to set one up"}
	asks := func(setting, person string) bool {
		return setting == policy.SecondFactorRequired || person == "chose one"
	}
	for _, before := range settings {
		for _, after := range settings {
			for _, person := range people {
				t.Run(before+" to "+after+", "+person, func(t *testing.T) {
					s := newSite(t, audiences{"team": {SecondFactor: before}}, nil)
					alice := s.add("alice@example.test", password)
					has := person != "nobody's factor"
					var app app
					if has {
						app, _ = s.enroll(alice, person == "had to set one up")
					}

					signedIn, halfway := s.browser(), s.browser()
					r := signedIn.signIn("alice@example.test", password, "/a")
					gave := false
					switch {
					case !asks(before, person):
						r.as("303 /a")
					case has:
						signedIn.passcode(r.flow(), app.code()).as("303 /a")
						gave = true
					}
					flow, step := "", ""
					if asks(before, person) {
						r := halfway.signIn("alice@example.test", password, "/a")
						flow, step = r.flow(), strings.TrimPrefix(strings.Split(r.location, "?")[0], answer.Root)
					}

					s.configure(audiences{"team": {SecondFactor: after}})

					// Somebody who is signed in.
					if r := signedIn.get(signInFor("/a")); asks(before, person) && !has {
						if r.location == "/a" {
							t.Error("the wizard's first step is a session")
						}
					} else {
						switch {
						case gave, !asks(after, person):
							r.as("302 /a")
						case has && !strings.HasPrefix(r.location, answer.Passcode), !has && !strings.HasPrefix(r.location, answer.Enroll):
							t.Errorf("signed in: led to %d %s", r.status, r.location)
						}
					}

					// Somebody half-way.
					switch {
					case flow == "":
					case step == "/passcode":
						halfway.passcode(flow, app.code()).as("303 /a")
						halfway.get(signInFor("/a")).as("302 /a")
					case after == policy.Off:
						// There is nothing to set up any more.
						halfway.get(answer.Enroll + "?flow=" + flow).as("302 " + ended)
						halfway.signIn("alice@example.test", password, "/a").as("303 /a")
					default:
						key := halfway.get(answer.Enroll + "?flow=" + flow).as("200").key()
						halfway.enroll("flow", flow, "passcode", s.app(key).code()).as("200")
						halfway.get(signInFor("/a")).as("302 /a")
						if found := s.factors(alice); found[0].Required != (after == policy.SecondFactorRequired) {
							t.Errorf("set up because it is required: %t", found[0].Required)
						}
					}
				})
			}
		}
	}
}

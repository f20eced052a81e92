//go:build integration

package provider

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// How much is measured. An account may be guessed at ten times before it is
// held, so each serves for guesses tries.
const (
	guesses  = 9
	perBatch = 4 // accounts of each kind
	most     = 4 // batches
	// margin is the part of a password hash by which the median time of two
	// kinds of people may differ. What the attacker looks for is a whole one.
	margin = 0.3
)

// kind is a kind of people that must not be told from those with an account.
type kind struct {
	name string
	// more makes that many further ones and returns their addresses.
	more func(n int) []string

	client *harness.Client
	emails []string
	took   []time.Duration
}

// Rule 3: whether somebody has an account cannot be told from the answer to a
// wrong password, nor from the time that it takes. The kinds take turns, so that
// what else the machine does meets all of them; on a noisy one more is measured
// until the medians agree, which with a hash more or less they never would.
func TestTiming(t *testing.T) {
	const sso = "people without a password"
	s := newStage(t, "", "", situation{name: sso})
	made := 0
	next := func(what string) string {
		made++
		return fmt.Sprintf("%s-%d@example.test", what, 1000+made)
	}
	each := func(what string, do func(email string)) func(int) []string {
		return func(n int) (emails []string) {
			for range n {
				email := next(what)
				if do != nil {
					do(email)
				}
				emails = append(emails, email)
			}
			return emails
		}
	}
	// The addresses are equally long, so that the pages are too.
	kinds := []*kind{
		{name: "known", more: each("know", func(email string) { s.AddUser(email) })},
		{name: "unknown", more: each("none", nil)},
		{name: "suspended", more: each("susp", func(email string) { s.AddUser(email); s.Must("user", "suspend", email) })},
		{name: "invited, no password yet", more: each("invi", func(email string) { s.Invite(email) })},
		{name: "of a provider, no password", more: each("sso-", func(email string) {
			s.providers[sso].Behave(func(b *providertest.Behaviour) { b.Person["sub"], b.Person["email"] = email, email })
			s.Browser().Open(start(sso)).App()
		})},
		{name: "not an address", more: func(n int) (texts []string) {
			for _, email := range each("text", nil)(n) {
				texts = append(texts, strings.ReplaceAll(email, "@", "#"))
			}
			return texts
		}},
	}
	known := kinds[0]
	free := &kind{name: "empty password, no hash", more: known.more}
	ask := &kind{name: "asking for a link, known", more: known.more}
	askNobody := &kind{name: "asking for a link, unknown", more: kinds[1].more}
	measured := append(slices.Clone(kinds), free, ask, askNobody)

	var looks [2]string // of sign-in and reset
	try := func(k *kind, email string) {
		target, values, look := "/auth-gateway/sign-in", url.Values{"email": {email}, "password": {"not the right words"}}, &looks[0]
		switch k {
		case free:
			values.Set("password", "")
			look = nil
		case ask, askNobody:
			target, look = "/auth-gateway/reset", &looks[1]
			values.Del("password")
		}
		began := time.Now()
		page := k.client.Post(target, values)
		k.took = append(k.took, time.Since(began))
		if look == nil {
			return
		}
		switch got := appearance(page, email); *look {
		case "":
			*look = got
		default:
			wantSame(t, k.name+" and somebody known", got, *look)
		}
	}

	for batch := 1; ; batch++ {
		for i, k := range measured {
			// A network of its own for each kind and batch: none is held.
			k.client = s.Browser(harness.From(fmt.Sprintf("127.7.%d.%d", batch, i+1)))
			k.client.Get("/auth-gateway/sign-in").Want(http.StatusOK)
			if k == free || k == ask {
				k.emails = known.emails
				continue
			}
			k.emails = k.more(perBatch)
		}
		for i := range perBatch * guesses {
			for j := range measured {
				k := measured[(i+j)%len(measured)]
				try(k, k.emails[i%perBatch])
			}
		}
		hash := known.median() - free.median()
		apart := time.Duration(0)
		for _, k := range kinds {
			apart = max(apart, (k.median() - known.median()).Abs())
		}
		apart = max(apart, (ask.median() - askNobody.median()).Abs())
		if t.Failed() || float64(apart) < margin*float64(hash) || batch == most {
			for _, k := range measured {
				t.Logf("%-28s %4d tries, median %6.1f ms, tenth to nine tenths %6.1f to %6.1f ms", k.name, len(k.took),
					ms(k.quantile(0.5)), ms(k.quantile(0.1)), ms(k.quantile(0.9)))
			}
			t.Logf("a hash takes %.1f ms; the medians are at most %.1f ms apart, %.0f %% of that", ms(hash), ms(apart), 100*float64(apart)/float64(hash))
			if hash < 5*time.Millisecond {
				t.Errorf("a hash takes %s: is one computed?", hash)
			}
			if float64(apart) >= margin*float64(hash) {
				t.Errorf("kinds of people can be told apart by the time of the answer")
			}
			return
		}
	}
}

func (k *kind) median() time.Duration { return k.quantile(0.5) }

func (k *kind) quantile(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(k.took))
	return sorted[int(q*float64(len(sorted)-1))]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// differing is what differs from one answer to the next, whoever asks.
var differing = regexp.MustCompile(`name="flow" value="[^"]*"|id="error-id">[^<]*<|auth_gateway_device=[^;]*|[0-9]+ seconds?`)

// appearance is all that can be seen of an answer, but for what was typed and
// what differs each time.
func appearance(page *harness.Page, typed ...string) string {
	header := page.Header.Clone()
	header.Del("Date")
	header.Del("Content-Length") // that of the body is compared as it is
	if header.Get("Retry-After") != "" {
		header.Set("Retry-After", "some")
	}
	text := fmt.Sprintf("%d\n%v\n%s", page.Status, header, page.Body)
	for _, t := range typed {
		for _, spelled := range []string{t, url.QueryEscape(t)} {
			text = strings.ReplaceAll(text, spelled, "[typed]")
		}
	}
	return differing.ReplaceAllString(text, "[differs]")
}

// wantSame fails the test for each line in which two appearances differ.
func wantSame(t *testing.T, who, one, two string) {
	t.Helper()
	a, b := strings.Split(one, "\n"), strings.Split(two, "\n")
	if len(a) != len(b) {
		t.Errorf("%s: %d lines and %d", who, len(a), len(b))
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Errorf("%s differ:\n%s\n%s", who, a[i], b[i])
		}
	}
}

// Rule 3: nor can it be told from any other answer to people who are no further
// than a name.
func TestAppearance(t *testing.T) {
	t.Parallel()
	s := newStage(t, "", "", situation{name: "unused"})
	const known, nobody = "someone@example.test", "no-one-@example.test"
	s.AddUser(known)
	used := s.ResetPassword(known)
	b := s.Browser()
	b.Submit(b.Open(used.String()).Form("password").Set("password", harness.Password+" anew")).Want(http.StatusOK)
	s.SecretAtRest("a password", harness.Password+" anew")
	replaced := s.ResetPassword(known)
	s.ResetPassword(known)
	madeUp := *replaced
	madeUp.RawQuery = url.Values{"token": {strings.Repeat("A", len(replaced.Query().Get("token")))}}.Encode()

	signIn := func(email, password string) url.Values { return url.Values{"email": {email}, "password": {password}} }
	addresses := 0
	stranger := func() *harness.Client {
		addresses++
		return s.Browser(harness.From(fmt.Sprintf("127.8.0.%d", addresses)))
	}
	for _, test := range []struct {
		name   string
		answer func(b *harness.Client, email string, token *url.URL) *harness.Page
		status int
	}{
		{"wrong password", func(b *harness.Client, email string, _ *url.URL) *harness.Page {
			return b.Post("/auth-gateway/sign-in", signIn(email, "not the right words"))
		}, http.StatusUnauthorized},
		{"empty password", func(b *harness.Client, email string, _ *url.URL) *harness.Page {
			return b.Post("/auth-gateway/sign-in", signIn(email, ""))
		}, http.StatusUnauthorized},
		{"password too long", func(b *harness.Client, email string, _ *url.URL) *harness.Page {
			return b.Post("/auth-gateway/sign-in", signIn(email, strings.Repeat("x", 1025)))
		}, http.StatusUnauthorized},
		{"password as long as may be", func(b *harness.Client, email string, _ *url.URL) *harness.Page {
			return b.Post("/auth-gateway/sign-in", signIn(email, strings.Repeat("x", 1024)))
		}, http.StatusUnauthorized},
		{"address in capitals", func(b *harness.Client, email string, _ *url.URL) *harness.Page {
			return b.Post("/auth-gateway/sign-in", signIn(strings.ToUpper(email), "not the right words"))
		}, http.StatusUnauthorized},
		{"asked for a link", func(b *harness.Client, email string, _ *url.URL) *harness.Page {
			return b.Post("/auth-gateway/reset", url.Values{"email": {email}})
		}, http.StatusOK},
		{"a link opened", func(b *harness.Client, _ string, link *url.URL) *harness.Page { return b.Get(link.String()) }, http.StatusGone},
		{"a link used", func(b *harness.Client, _ string, link *url.URL) *harness.Page {
			return b.Post(link.Path, url.Values{"token": {link.Query().Get("token")}, "password": {harness.Password}})
		}, http.StatusGone},
		{"held off", func(b *harness.Client, email string, _ *url.URL) *harness.Page {
			var page *harness.Page
			for range 11 {
				page = b.Post("/auth-gateway/sign-in", signIn(email, "not the right words"))
			}
			return page
		}, http.StatusTooManyRequests},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.For(t)
			typed := []string{known, nobody, strings.ToUpper(known), strings.ToUpper(nobody)}
			for _, link := range []*url.URL{used, replaced, &madeUp} {
				typed = append(typed, link.Query().Get("token"))
			}
			want := test.answer(stranger(), known, used).Want(test.status)
			for _, other := range []struct {
				email string
				link  *url.URL
			}{{nobody, &madeUp}, {known, replaced}} {
				if test.name == "held off" && other.email == known {
					continue // she is by now
				}
				got := test.answer(stranger(), other.email, other.link)
				wantSame(t, other.email+" and "+known, appearance(got, typed...), appearance(want, typed...))
			}
		})
	}
}

//go:build integration

package faults

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// sending asks everybody for a passcode, of any method, and lets browsers be
// trusted.
const sending = "audience team {\nsecond_factor required\npasscode app email sms\ntrust_device 30d\n}"

// seen is what a gate knows of a person.
type seen struct {
	Sessions, CodesLeft, Trusted int
	Factors                      string
}

// attempt is a post that does something once, or not at all.
type attempt struct {
	what  string
	who   *subject
	b     *harness.Client
	path  string
	form  url.Values
	done  string // the Location of an answer that acknowledges, "" for a page
	apply func(*seen)
	// renews: the browser has a session once it is acknowledged.
	renews bool
	// repeats: doing it again does the same again.
	repeats bool
	// password is the one that counts afterwards, "" for the same as before.
	password string

	before seen
	wrote  chan struct{} // closed when the post is on its way
	acked  bool
}

func (a *attempt) String() string { return a.what + " of " + a.who.email }

// post sends it and reports whether it was acknowledged.
func (a *attempt) post() (acknowledged bool, page *harness.Page, err error) {
	r := a.b.Request(http.MethodPost, a.path, strings.NewReader(a.form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	wrote := sync.OnceFunc(func() {
		if a.wrote != nil {
			close(a.wrote)
		}
	})
	defer wrote()
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { wrote() },
	}))
	page, err = a.b.TrySend(r)
	if err != nil {
		return false, nil, err
	}
	if a.done == "" {
		return page.Status == http.StatusOK, page, nil
	}
	return page.Status == http.StatusSeeOther && page.Header.Get("Location") == a.done, page, nil
}

// Rule 29: between the moment at which something is done and the answer that
// says so, Caddy is killed, fifty times. What was acknowledged is there; what was
// not is there whole or not at all, and then can still be done; nothing counts
// twice. Each time two people do different things at once. Half of the kills
// come after a random time, the others as soon as the store was written to.
func TestKillBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	g := harness.StartSendingGate(t, ownStore+"\n"+sending)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	people := newSubjects(g)
	span := 20 * time.Millisecond
	type tally struct{ acknowledged, unanswered, not int }
	counts := map[string]*tally{}
	all := tally{}
	next := 0
	for round := range 50 {
		var attempts []*attempt
		for range 2 {
			kind := kinds[next%len(kinds)]
			next++
			a := kind.prepare(people.of(t, kind.name))
			a.what, a.wrote = kind.name, make(chan struct{})
			a.before = a.who.look()
			attempts = append(attempts, a)
		}
		written := writes(t, g)
		var posts sync.WaitGroup
		for _, a := range attempts {
			posts.Go(func() {
				var page *harness.Page
				if a.acked, page, _ = a.post(); page != nil && !a.acked {
					t.Errorf("%v: %v", a, page)
				}
			})
		}
		for _, a := range attempts {
			<-a.wrote
		}
		if round%2 == 0 {
			<-time.After(time.Duration(random.Int64N(int64(span))))
		} else {
			written()
		}
		g.Kill()
		posts.Wait()
		g.Run()
		done := 0
		for _, a := range attempts {
			if counts[a.what] == nil {
				counts[a.what] = &tally{}
			}
			was := a.check(t)
			for _, count := range []*tally{counts[a.what], &all} {
				switch {
				case a.acked:
					count.acknowledged++
				case was:
					count.unanswered++
				default:
					count.not++
				}
			}
			if was {
				done++
			}
		}
		if t.Failed() {
			return
		}
		switch {
		case round%2 != 0:
		case done == 0:
			span = span * 3 / 2
		case done == len(attempts):
			span = max(time.Millisecond, span*2/3)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		count := counts[what]
		t.Logf("%s: %d acknowledged, %d done without an answer, %d not done", what, count.acknowledged, count.unanswered, count.not)
	}
	t.Logf("in all: %+v, waiting up to %v", all, span)
	if all.unanswered < 10 {
		t.Errorf("only %d were done without an answer: the kills come at the wrong moment", all.unanswered)
	}
}

// writes returns what waits until the store is written to.
func writes(t *testing.T, g *harness.SendingGate) (wait func()) {
	log := g.Dir + "/people.db-wal"
	stamp := func() string {
		info, err := os.Stat(log)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(info.Size(), info.ModTime())
	}
	before := stamp()
	return func() {
		for deadline := time.Now().Add(5 * time.Second); stamp() == before && time.Now().Before(deadline); {
		}
	}
}

// check holds what the gate knows against what it acknowledged, does what was
// not done, and has it refused from then on. It reports whether it was done
// before the kill.
func (a *attempt) check(t *testing.T) (was bool) {
	t.Helper()
	after := a.before
	a.apply(&after)
	switch now := a.who.look(); {
	case now == after && (a.password == "" || a.who.opens(a.password)):
		was = true
	case now == a.before && !a.acked:
	default:
		t.Errorf("%v, acknowledged %t:\nbefore %+v\nor     %+v\nnow    %+v", a, a.acked, a.before, after, now)
		return false
	}
	if a.acked && a.renews && a.b.Whoami() == nil {
		t.Errorf("%v: acknowledged, and the browser is not in", a)
	}
	a.wrote = nil
	if !was {
		acknowledged, page, err := a.post()
		if err != nil || !acknowledged {
			t.Errorf("%v was not done, and cannot be done now: %v %v", a, page, err)
			return was
		}
		if now := a.who.look(); now != after {
			t.Errorf("%v, done again:\nwanted %+v\nnow    %+v", a, after, now)
		}
		if a.renews && a.b.Whoami() == nil {
			t.Errorf("%v: not in", a)
		}
	}
	if !a.repeats {
		acknowledged, page, err := a.post()
		if err != nil || acknowledged {
			t.Errorf("%v is done twice: %v %v", a, page, err)
		}
		if now := a.who.look(); now != after {
			t.Errorf("%v, tried twice:\nwanted %+v\nnow    %+v", a, after, now)
		}
	}
	if a.password != "" {
		if a.who.opens(a.who.password) {
			t.Errorf("%v: the old password counts", a)
		}
		if !a.who.opens(a.password) {
			t.Errorf("%v: the new password does not count", a)
		}
		a.who.password = a.password
	}
	return was
}

//go:build integration

package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Rule 29: kill -9 at any moment loses nothing that was acknowledged, and what
// was ended does not come back. People are added, set up factors, use codes,
// sign out, change passwords, are revoked and suspended, all at once; after a
// number of acknowledgements Caddy is killed in the middle of what comes next.
func TestKillLosesNothing(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, required, "")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var everybody []*person
	met := map[string]bool{}
	for round := range 4 {
		var mu sync.Mutex
		var people []*person
		acknowledged := 0
		limit := 3 + random.IntN(30)
		var workers sync.WaitGroup
		for worker := range 3 {
			workers.Go(func() {
				for n := 0; ; n++ {
					p := &person{gate: g, email: fmt.Sprintf("p%d-%d-%d@example.test", round, worker, n)}
					mu.Lock()
					people = append(people, p)
					mu.Unlock()
					err := p.live(func() {
						mu.Lock()
						defer mu.Unlock()
						if acknowledged++; acknowledged == limit {
							g.Kill()
						}
					})
					if err != nil {
						t.Error(err)
						mu.Lock()
						acknowledged = limit
						g.Kill()
						mu.Unlock()
					}
					if p.doing != "nothing" {
						return
					}
				}
			})
		}
		workers.Wait()
		g.Run()
		for _, p := range people {
			met[p.doing] = true
			p.check(t)
		}
		everybody = append(everybody, people...)
		if t.Failed() {
			return
		}
	}
	g.Kill()
	g.Run()
	for _, p := range everybody {
		p.check(t)
	}
	t.Logf("%d people, killed while one %v", len(everybody), met)
}

// G3: sessions, flows and used codes of a person survive kill -9, one after the
// other.
func TestKill(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, required, "")
	g.AddUser(alice)
	again := func() { g.Kill(); g.Run() }
	b := g.Browser()
	app, codes := g.Enroll(b, alice)
	again()
	g.WantIn(b, alice)

	c := g.Browser()
	step := g.AskedForPasscode(c, alice)
	code := app.Code()
	c.Submit(step.Form("passcode").Set("passcode", code)).Want(http.StatusSeeOther)
	again()
	g.WantIn(c, alice)
	d := g.Browser()
	step = g.AskedForPasscode(d, alice)
	d.Submit(step.Form("passcode").Set("passcode", code)).Want(http.StatusUnauthorized)
	again()
	// The flow is in the store too.
	d.Submit(step.Form("passcode").Set("passcode", codes[0])).Want(http.StatusSeeOther)
	again()
	g.WantIn(d, alice)
	e := g.Browser()
	step = g.AskedForPasscode(e, alice)
	e.Submit(step.Form("passcode").Set("passcode", codes[0])).Want(http.StatusUnauthorized)
}

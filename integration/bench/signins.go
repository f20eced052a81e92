package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
)

const (
	signInTurn   = 1500 * time.Millisecond
	signInRounds = 10
	// people sign in at once: enough to keep every hash busy, from as many
	// networks, so that none of them is held off.
	people = 6
)

// signIns compares whole sign-ins per second with the bare hashes that are in
// them, as many at a time.
func signIns(e effort) ([]finding, error) {
	b, err := newBench(e)
	if err != nil {
		return nil, err
	}
	defer b.close()
	for i := range people {
		if err := b.addUser(person(i)); err != nil {
			return nil, err
		}
	}
	var bare, whole []float64
	for round := range signInRounds + 1 {
		hashes := bareHashes(signInTurn)
		sessions, err := b.keepSigningIn(signInTurn)
		if err != nil {
			return nil, err
		}
		if round > 0 { // the first one warms up
			bare, whole = append(bare, hashes), append(whole, sessions)
		}
	}
	return []finding{
		{what: "sign-ins per second", values: whole, format: "%.1f"},
		{what: "  ratio to bare argon2id", values: ratios(whole, bare), format: "%.3f", budget: 0.9, atLeast: true},
	}, nil
}

func person(i int) string { return fmt.Sprintf("person%d@example.test", i) }

// bareHashes returns hashes per second with the gateway's parameters, as many
// at once as the gateway allows itself.
func bareHashes(length time.Duration) float64 {
	p := account.DefaultParameters
	salt := make([]byte, 16)
	began := time.Now()
	var done atomic.Int64
	var group sync.WaitGroup
	for range max(1, runtime.GOMAXPROCS(0)-1) {
		group.Go(func() {
			for time.Since(began) < length {
				argon2.IDKey([]byte(password), salt, p.Time, p.Memory, p.Threads, 32)
				done.Add(1)
			}
		})
	}
	group.Wait()
	return float64(done.Load()) / time.Since(began).Seconds()
}

// keepSigningIn returns sign-ins per second.
func (b *bench) keepSigningIn(length time.Duration) (float64, error) {
	began := time.Now()
	var done atomic.Int64
	errs := make(chan error, people)
	for i := range people {
		go func() {
			c := client(net.IPv4(127, 0, 1, byte(i+1)))
			defer c.CloseIdleConnections()
			for time.Since(began) < length {
				status, cookie, err := signIn(c, b.signedIn.port, person(i), password)
				if err == nil && cookie == "" {
					err = fmt.Errorf("no session after signing in: status %d", status)
				}
				if err != nil {
					errs <- err
					return
				}
				done.Add(1)
			}
			errs <- nil
		}()
	}
	var err error
	for range people {
		err = errors.Join(err, <-errs)
	}
	return float64(done.Load()) / time.Since(began).Seconds(), err
}

const (
	floodSize   = 500
	floodRounds = 8
)

// flood measures what people who are signed in lose while sign-ins are thrown
// at the gateway, all at once and from many networks.
func flood(e effort) ([]finding, error) {
	b, err := newBench(e)
	if err != nil {
		return nil, err
	}
	defer b.close()
	var lost, lasted []float64
	for round := range floodRounds {
		requests, took, err := b.signedIn.loadFor(2*time.Second, b.cookie)
		if err != nil {
			return nil, err
		}
		before := float64(requests) / took.Seconds()

		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			defer cancel()
			throwSignIns(b.signedIn.port, round)
		}()
		requests, took, err = b.signedIn.load(ctx, b.cookie)
		cancel()
		if err != nil {
			return nil, err
		}
		lost = append(lost, 100*(1-float64(requests)/took.Seconds()/before))
		lasted = append(lasted, took.Seconds())
	}
	return []finding{
		{what: fmt.Sprintf("signed-in requests lost while %d sign-ins are thrown at it", floodSize), values: lost, format: "%.0f %%", budget: 60},
		{what: "  until all of them are answered", values: lasted, format: "%.1f s"},
	}, nil
}

// throwSignIns returns when all are answered, whatever the answer.
func throwSignIns(port, round int) {
	var group sync.WaitGroup
	for i := range floodSize {
		group.Go(func() {
			c := client(net.IPv4(127, byte(2+round), byte(i/200), byte(i%200+1)))
			defer c.CloseIdleConnections()
			email := fmt.Sprintf("nobody%d-%d@example.test", round, i)
			status, _, err := signIn(c, port, email, "not "+password)
			if err == nil && status == http.StatusSeeOther {
				panic(email + " has signed in")
			}
		})
	}
	group.Wait()
}

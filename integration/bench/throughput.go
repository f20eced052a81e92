package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"
)

// turn is how long one site is under load before the next one is. Short turns
// let whatever else the machine does meet all sites alike.
const turn = 400 * time.Millisecond

// bench is a Caddy with the same app behind it four times: as it is, as it is
// with six headers that Caddy itself sets, under a public path, and for those
// who have signed in. The second tells what the headers cost whoever sets them.
type bench struct {
	*caddy
	plain, headers, public, signedIn site
	cookie                           string
	stopAll                          []func()
}

// sixHeaders do in plain Caddy what the gateway does to a signed-in request.
const sixHeaders = `
	request_header -Cookie
	request_header Remote-User bench@example.test
	request_header Remote-Id abcdefghijklmnopqrstuvwxyz
	request_header Remote-Email bench@example.test
	request_header Remote-Name "Bench Example"
	request_header Remote-Role end-user
	request_header Remote-Groups end-user`

func newBench(e effort) (_ *bench, err error) {
	b := new(bench)
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	b.stopAll = append(b.stopAll, func() { os.RemoveAll(dir) })
	app, stop, err := hello()
	if err != nil {
		return nil, err
	}
	b.stopAll = append(b.stopAll, stop)
	ports, err := freePorts(5)
	if err != nil {
		return nil, err
	}
	admin := fmt.Sprintf("127.0.0.1:%d", ports[0])
	b.plain = site{name: "plain", port: ports[1]}
	b.public = site{name: "public", port: ports[2]}
	b.signedIn = site{name: "signed in", port: ports[3]}
	b.headers = site{name: "headers", port: ports[4]}
	caddyfile := options(admin, dir) + gatewayOptions(dir) + "}\n" + fmt.Sprintf(`
http://127.0.0.1:%d {
	reverse_proxy %[4]s
}
http://127.0.0.1:%[2]d {
	auth_gateway {
		public /hello
	}
	reverse_proxy %[4]s
}
http://127.0.0.1:%[3]d {
	auth_gateway
	reverse_proxy %[4]s
}
http://127.0.0.1:%[5]d {%[6]s
	reverse_proxy %[4]s
}
`, b.plain.port, b.public.port, b.signedIn.port, app, b.headers.port, sixHeaders)
	if b.caddy, err = startCaddy(e.caddy, dir, caddyfile, admin, b.plain.port); err != nil {
		return nil, err
	}
	b.stopAll = append(b.stopAll, b.caddy.stop)

	const email = "bench@example.test"
	if err := b.addUser(email); err != nil {
		return nil, err
	}
	status, cookie, err := signIn(client(net.IPv4(127, 0, 0, 1)), b.signedIn.port, email, password)
	if err != nil {
		return nil, err
	}
	if cookie == "" {
		return nil, fmt.Errorf("no session after signing in: status %d", status)
	}
	b.cookie = cookie
	return b, nil
}

func (b *bench) close() {
	for _, stop := range slices.Backward(b.stopAll) {
		stop()
	}
}

// throughput compares requests per second, and what each costs Caddy.
func throughput(e effort) ([]finding, error) {
	b, err := newBench(e)
	if err != nil {
		return nil, err
	}
	defer b.close()
	sites := []*site{&b.plain, &b.public, &b.signedIn, &b.headers}
	var errs error
	for _, s := range sites { // warm up
		_, _, err := s.loadFor(2*turn, b.cookie)
		errs = errors.Join(errs, err)
	}
	for round := range e.rounds {
		// Each site goes first and last equally often.
		for i := range sites {
			errs = errors.Join(errs, b.measure(sites[(round+i)%len(sites)]))
		}
	}
	if errs != nil {
		return nil, errs
	}
	return []finding{
		{what: "requests per second, plain reverse_proxy", values: b.plain.rates, format: "%.0f"},
		{what: "  ratio with the gateway, signed in", values: ratios(b.signedIn.rates, b.plain.rates), format: "%.3f", budget: 0.97, atLeast: true},
		{what: "  ratio with the gateway, public path", values: ratios(b.public.rates, b.plain.rates), format: "%.3f"},
		{what: "  ratio without it, with the same six headers", values: ratios(b.headers.rates, b.plain.rates), format: "%.3f"},
		{what: "  ratio with the gateway to that", values: ratios(b.signedIn.rates, b.headers.rates), format: "%.3f"},
		{what: "Caddy's processor time per request, plain", values: b.plain.costs, format: "%.0f µs"},
		{what: "  ratio with the gateway, signed in", values: ratios(b.signedIn.costs, b.plain.costs), format: "%.3f"},
		{what: "  ratio with the gateway, public path", values: ratios(b.public.costs, b.plain.costs), format: "%.3f"},
		{what: "  ratio without it, with the same six headers", values: ratios(b.headers.costs, b.plain.costs), format: "%.3f"},
	}, nil
}

func (b *bench) measure(s *site) error {
	before, err := b.cpu()
	if err != nil {
		return err
	}
	requests, took, err := s.loadFor(turn, b.cookie)
	if err != nil {
		return err
	}
	after, err := b.cpu()
	if err != nil {
		return err
	}
	s.rates = append(s.rates, float64(requests)/took.Seconds())
	s.costs = append(s.costs, float64((after-before).Microseconds())/float64(requests))
	return nil
}

package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// codeRounds are few: nobody is sent more than twenty codes in a row.
	codeRounds = 4
	// codesATurn is how often everybody signs in with one in a turn.
	codesATurn = 3
)

// secondFactor measures whole sign-ins with a passcode that is mailed, and those
// in a trusted browser, next to the bare hashes that are in them.
func secondFactor(e effort) (_ []finding, err error) {
	g, err := newMailingGate(e)
	if err != nil {
		return nil, err
	}
	defer g.close()
	var bare, mailed, trusted []float64
	for round := range codeRounds + 1 {
		hashes := bareHashes(signInTurn)
		codes, err := g.turn(func(v *visitor) error {
			for range codesATurn {
				if err := v.signInWithCode(false); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if round == 0 { // the first one warms up, and has the browsers trusted
			if _, err := g.turn(func(v *visitor) error { return v.signInWithCode(true) }); err != nil {
				return nil, err
			}
		}
		without, err := g.turn(func(v *visitor) error {
			for range codesATurn {
				if err := v.signInTrusted(); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if round > 0 {
			bare, mailed, trusted = append(bare, hashes), append(mailed, codes*codesATurn), append(trusted, without*codesATurn)
		}
	}
	return []finding{
		{what: "sign-ins per second with a mailed passcode", values: mailed, format: "%.1f"},
		{what: "  ratio to bare argon2id", values: ratios(mailed, bare), format: "%.3f"},
		{what: "sign-ins per second in a trusted browser", values: trusted, format: "%.1f"},
		{what: "  ratio to bare argon2id", values: ratios(trusted, bare), format: "%.3f"},
	}, nil
}

// mailingGate is a gateway that requires passcodes by mail, a mailbox, and those
// who sign in.
type mailingGate struct {
	visitors []*visitor
	stopAll  []func()
}

func newMailingGate(e effort) (_ *mailingGate, err error) {
	g := new(mailingGate)
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	g.stopAll = append(g.stopAll, func() { os.RemoveAll(dir) })
	app, stop, err := hello()
	if err != nil {
		return nil, err
	}
	g.stopAll = append(g.stopAll, stop)
	box, err := openMailbox()
	if err != nil {
		return nil, err
	}
	g.stopAll = append(g.stopAll, box.close)
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	admin, origin := fmt.Sprintf("127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	words := fmt.Sprintf(`
		mail smtp %s {
			from gate@example.test
			tls off
			invitations off
		}
		audience team {
			second_factor required
			passcode email
			trust_device 30d
		}
	}
`, box.address)
	caddyfile := options(admin, dir) + strings.TrimSuffix(gatewayOptions(dir), "\t}\n") + words + "}\n" +
		fmt.Sprintf("%s {\n\tauth_gateway {\n\t\tpublic /hello\n\t\torigin %[1]s\n\t}\n\treverse_proxy %s\n}\n", origin, app)
	c, err := startCaddy(e.caddy, dir, caddyfile, admin, ports[1])
	if err != nil {
		return nil, err
	}
	g.stopAll = append(g.stopAll, c.stop)
	for i := range people {
		if err := c.addUser(person(i)); err != nil {
			return nil, err
		}
		v := &visitor{origin: origin, email: person(i), box: box, source: net.IPv4(127, 0, 1, byte(i+1))}
		if err := v.enroll(); err != nil {
			return nil, fmt.Errorf("%s: %w", v.email, err)
		}
		g.visitors = append(g.visitors, v)
	}
	return g, nil
}

func (g *mailingGate) close() {
	for i := len(g.stopAll) - 1; i >= 0; i-- {
		g.stopAll[i]()
	}
}

// turn has everybody do something at once, and returns how many did per second.
func (g *mailingGate) turn(do func(*visitor) error) (float64, error) {
	began := time.Now()
	errs := make([]error, len(g.visitors))
	var group sync.WaitGroup
	for i, v := range g.visitors {
		group.Go(func() {
			if err := do(v); err != nil {
				errs[i] = fmt.Errorf("%s: %w", v.email, err)
			}
		})
	}
	group.Wait()
	return float64(len(g.visitors)) / time.Since(began).Seconds(), errors.Join(errs...)
}

// visitor is somebody with a browser that they trust, once they have said so.
type visitor struct {
	origin, email string
	box           *mailbox
	source        net.IP
	trusted       *http.Client
}

// browser is a new one.
func (v *visitor) browser() (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	c := client(v.source)
	c.Jar = jar
	return c, err
}

// enroll sets mailed passcodes up.
func (v *visitor) enroll() error {
	c, err := v.browser()
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()
	flow, err := v.password(c)
	if err != nil {
		return err
	}
	if flow == "" {
		return errors.New("no second factor is asked for")
	}
	_, err = v.post(c, "/auth-gateway/enroll", http.StatusOK, "flow", flow, "method", "email", "passcode", v.box.next(v.email))
	return err
}

// signInWithCode signs in with a passcode that is mailed.
func (v *visitor) signInWithCode(trust bool) error {
	c, err := v.browser()
	if err != nil {
		return err
	}
	flow, err := v.password(c)
	if err != nil {
		return err
	}
	if flow == "" {
		return errors.New("no passcode is asked for")
	}
	form := []string{"flow", flow, "passcode", v.box.next(v.email)}
	if trust {
		form = append(form, "trust_device", "on")
		v.trusted = c
	} else {
		defer c.CloseIdleConnections()
	}
	_, err = v.post(c, "/auth-gateway/passcode", http.StatusSeeOther, form...)
	return err
}

// signInTrusted signs in with the trusted browser.
func (v *visitor) signInTrusted() error {
	flow, err := v.password(v.trusted)
	if err == nil && flow != "" {
		err = errors.New("a trusted browser is asked for a passcode")
	}
	return err
}

// password posts the password, and returns the flow that it leads to, or "".
func (v *visitor) password(c *http.Client) (flow string, err error) {
	location, err := v.post(c, "/auth-gateway/sign-in", http.StatusSeeOther, "email", v.email, "password", password)
	if err != nil {
		return "", err
	}
	return location.Query().Get("flow"), nil
}

// post sends a form, names and values in turn, and returns where it leads.
func (v *visitor) post(c *http.Client, path string, want int, pairs ...string) (*url.URL, error) {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequest(http.MethodPost, v.origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", v.origin)
	resp, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != want {
		return nil, fmt.Errorf("%s answers %d, not %d", path, resp.StatusCode, want)
	}
	if want == http.StatusOK {
		return nil, nil
	}
	return resp.Location()
}

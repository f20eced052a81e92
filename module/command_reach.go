package module

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os/user"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	// dialLimit is how long the admin endpoint may take to be there.
	dialLimit = 5 * time.Second
	// retryFor is how long a Caddy that has not started yet, or has too much
	// to do, is asked again.
	retryFor   = 10 * time.Second
	retryEvery = 250 * time.Millisecond
	// maxConfig bounds the configuration that is read from Caddy.
	maxConfig = 64 << 20
)

// actor does administrative acts: the running Caddy, or this process on the
// store itself.
type actor interface {
	// call does the act at an address of the admin endpoint. in is sent as
	// JSON unless it is nil, the answer is read into out.
	call(method, uri string, in, out any) error
	// stream does an act that reads something of any length, and hands the
	// answer to from.
	stream(uri string, from func(io.Reader) error) error
	// configuration returns what is known of the sites.
	configuration() (configuration, error)
	// overNetwork reports whether what is sent can be read on the way.
	overNetwork() bool
	close() error
}

// reachFlags are the flags that say which Caddy is meant.
type reachFlags struct {
	address, config, adapter string
}

// reach finds who does the acts. notes are told to the person at the terminal.
func reach(f reachFlags, notes io.Writer) (actor, error) {
	var loaded []byte
	if f.config != "" {
		var err error
		if loaded, _, _, err = caddycmd.LoadConfig(f.config, f.adapter); err != nil {
			return nil, err
		}
	} else if f.adapter != "" {
		return nil, errors.New("--adapter says how to read a configuration: name it with --config")
	}

	adminOff := f.address == "" && hasAdminOff(loaded)
	where := "Caddy's admin endpoint is off"
	if !adminOff {
		address, err := caddycmd.DetermineAdminAPIAddress(f.address, loaded, f.config, f.adapter)
		if err != nil {
			return nil, err
		}
		address = caddy.NewReplacer().ReplaceAll(address, "")
		err = probe(address)
		if err == nil {
			return running{address}, nil
		}
		if !isNobody(err) {
			return nil, fmt.Errorf("reaching Caddy's admin endpoint at %s: %w", address, err)
		}
		where = "no Caddy answers at " + address
		if f.config == "" {
			return nil, fmt.Errorf("%s: start Caddy, or name its admin endpoint with --address; "+
				"where Caddy is stopped or has never run, name its configuration with --config", where)
		}
	}
	own, err := openOwn(loaded)
	if errors.Is(err, store.ErrInUse) {
		if adminOff {
			return nil, fmt.Errorf("the store is in use, presumably by Caddy, and its admin endpoint is off, so it cannot be asked: "+
				"put `admin unix//run/caddy/admin.sock` in place of `admin off` and restart it, or stop it for a moment (%w)", err)
		}
		return nil, fmt.Errorf("%s, and yet a process uses the store: if that is Caddy, name its admin endpoint with --address; "+
			"if it runs with `admin off`, put `admin unix//run/caddy/admin.sock` in its place and restart it, or stop it for a moment (%w)", where, err)
	}
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(notes, "%s: working on the store %s itself%s\n", where, own.app.databasePath(), asWhom())
	return own, nil
}

// hasAdminOff reports whether a configuration turns the admin endpoint off.
func hasAdminOff(config []byte) bool {
	var c struct {
		Admin struct {
			Disabled bool `json:"disabled"`
		} `json:"admin"`
	}
	return len(config) > 0 && json.Unmarshal(config, &c) == nil && c.Admin.Disabled
}

// asWhom reminds of whose file the store will be.
func asWhom() string {
	current, err := user.Current()
	if err != nil {
		return ""
	}
	return fmt.Sprintf(", as user %s (Caddy has to run as the same)", current.Username)
}

// adminAddress is where to dial an admin endpoint.
func adminAddress(address string) (network, dial string, err error) {
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil {
		return "", "", fmt.Errorf("%q is not an admin address: %w", address, err)
	}
	if parsed.PortRangeSize() > 1 {
		return "", "", fmt.Errorf("%q is not an admin address: it has a range of ports", address)
	}
	dial = parsed.JoinHostPort(0)
	if parsed.IsUnixNetwork() {
		dial, _, _ = strings.Cut(dial, "|") // permissions of the socket
	}
	return parsed.Network, dial, nil
}

// probe reports why nobody listens at an admin address. The request that
// follows does not tell errors apart.
func probe(address string) error {
	network, dial, err := adminAddress(address)
	if err != nil {
		return err
	}
	connection, err := net.DialTimeout(network, dial, dialLimit)
	if err != nil {
		return err
	}
	return connection.Close()
}

// isNobody reports whether nothing listens, as opposed to something that
// cannot be reached.
func isNobody(err error) bool {
	const refusedOnWindows = syscall.Errno(10061) // WSAECONNREFUSED
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, refusedOnWindows) || errors.Is(err, fs.ErrNotExist)
}

// running is a Caddy that answers at its admin endpoint.
type running struct {
	address string
}

func (c running) call(method, uri string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	return patiently(func() error {
		answer, err := c.ask(method, uri, body)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(answer, out); err != nil {
			return fmt.Errorf("what answers at %s is not Caddy's admin endpoint: %w", c.address, err)
		}
		return nil
	})
}

func (c running) stream(uri string, from func(io.Reader) error) error {
	var response *http.Response
	err := patiently(func() (err error) {
		response, err = c.open(http.MethodGet, uri, nil)
		return err
	})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return from(response.Body)
}

// patiently tries again for a while as long as Caddy says that it cannot yet.
func patiently(try func() error) error {
	for began := time.Now(); ; time.Sleep(retryEvery) {
		err := try()
		var refused adminError
		if errors.As(err, &refused) && refused.status == http.StatusServiceUnavailable && time.Since(began) < retryFor {
			continue // nothing was done
		}
		return err
	}
}

func (c running) ask(method, uri string, body []byte) ([]byte, error) {
	response, err := c.open(method, uri, body)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxConfig))
	if err != nil {
		return nil, fmt.Errorf("reading Caddy's answer: %w", err)
	}
	return answer, nil
}

// open returns an answer that is not an error. Its body is to be closed.
func (c running) open(method, uri string, body []byte) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	response, err := caddycmd.AdminAPIRequest(c.address, method, uri, nil, reader)
	if err != nil {
		return nil, readAdminError(err)
	}
	return response, nil
}

func (c running) configuration() (configuration, error) {
	text, err := c.ask(http.MethodGet, "/config/", nil)
	if err != nil {
		return configuration{}, fmt.Errorf("asking Caddy for its configuration: %w", err)
	}
	return readConfiguration(text)
}

func (c running) overNetwork() bool {
	network, dial, err := adminAddress(c.address)
	if err != nil {
		return true
	}
	if network == "unix" || strings.HasPrefix(network, "fd") {
		return false
	}
	host, _, err := net.SplitHostPort(dial)
	if err != nil {
		return true
	}
	// Dialing no address at all, or the unspecified one, is dialing oneself.
	ip, err := netip.ParseAddr(host)
	return host != "" && !isLoopbackHost(host) && (err != nil || !ip.IsUnspecified())
}

func (running) close() error { return nil }

// adminError is what the admin endpoint says is wrong.
type adminError struct {
	status  int
	message string
}

// Error implements error.
func (e adminError) Error() string { return e.message }

// adminErrorPattern is what AdminAPIRequest makes of an answer that says no.
var adminErrorPattern = regexp.MustCompile(`(?s)^caddy responded with error: HTTP (\d+): (.*)$`)

// readAdminError finds what the admin endpoint said.
func readAdminError(err error) error {
	parts := adminErrorPattern.FindStringSubmatch(err.Error())
	if parts == nil {
		return err
	}
	refused := adminError{message: strings.TrimSpace(parts[2])}
	refused.status, _ = strconv.Atoi(parts[1])
	var said struct {
		Error string `json:"error"`
	}
	switch {
	case json.Unmarshal([]byte(parts[2]), &said) == nil && said.Error != "":
		refused.message = said.Error
	case refused.status == http.StatusNotFound:
		refused.message = "the Caddy that runs there was built without auth_gateway: start the binary that this command is part of"
	}
	return refused
}

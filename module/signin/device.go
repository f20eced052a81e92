package signin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
)

// deviceLifetime is how long a browser stays known after somebody signed in
// with it.
const deviceLifetime = policy.MaxSessionLifetime // also the longest that one can be trusted

// deviceCookies are the cookies by which a browser is known again: the one
// people sign in with is not held off by what strangers try elsewhere. They
// open nothing.
type deviceCookies struct {
	cookies *secret.Cookies
	key     []byte
}

func newDeviceCookies(ring *secret.Ring) deviceCookies {
	return deviceCookies{
		cookies: ring.Cookies("device cookie", deviceLifetime),
		key:     ring.Derive("form token", sha256.Size),
	}
}

// read returns the browser that the request comes from, or nil if it is not
// known.
func (d deviceCookies) read(x *exchange) *account.Device {
	if x.device != nil {
		return x.device
	}
	text := session.ReadCookie(x.r.Header, session.FullCookieName(session.DeviceCookieName, x.visit.Secure))
	if text == "" || len(text) > secret.MaxCookieSize {
		return nil
	}
	payload, err := d.cookies.Decode(session.DeviceCookieName, text, x.Clock())
	if err != nil {
		return nil
	}
	device := new(account.Device)
	if json.Unmarshal(payload, device) != nil || device.ID == "" {
		return nil
	}
	x.device = device
	return device
}

// meet returns the browser, and gives it a cookie if it has none yet. That
// cookie knows nobody; it binds our forms to this browser.
func (d deviceCookies) meet(x *exchange) *account.Device {
	if device := d.read(x); device != nil {
		return device
	}
	x.device = &account.Device{ID: rand.Text()}
	d.set(x, x.device, 0)
	return x.device
}

// remember makes the browser known as one of that account's.
func (d deviceCookies) remember(x *exchange, accountID string) {
	if d.read(x) == nil {
		x.device = &account.Device{ID: rand.Text()}
	}
	x.device.Add(accountID)
	d.set(x, x.device, deviceLifetime)
}

func (d deviceCookies) set(x *exchange, device *account.Device, lifetime time.Duration) {
	payload, err := json.Marshal(device)
	if err != nil {
		// A Device holds strings: it always marshals.
		panic(err)
	}
	text, err := d.cookies.Encode(session.DeviceCookieName, payload, x.Clock())
	if err != nil {
		return // too long a cookie makes an unknown browser, nothing worse
	}
	session.SetCookie(x.w, session.DeviceCookieName, text, x.visit.Secure, lifetime)
}

// FormToken returns the hidden flow of forms that belong to no sign-in under
// way, and gives the browser the cookie that it is bound to if it has none.
// Call it before the answer is written, once.
func (c *Conversation) FormToken(w http.ResponseWriter, r *http.Request, visit policy.Visit) string {
	x := &exchange{Conversation: c, w: w, r: r, visit: visit}
	return x.formToken()
}

func (x *exchange) formToken() string { return x.devices.tokenOf(x.devices.meet(x)) }

// formToken is the token of the browser that sends a form; "" without its
// cookie.
func (d deviceCookies) formToken(x *exchange) string {
	if device := d.read(x); device != nil {
		return d.tokenOf(device)
	}
	return ""
}

func (d deviceCookies) tokenOf(device *account.Device) string {
	mac := hmac.New(sha256.New, d.key)
	mac.Write([]byte(device.ID))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

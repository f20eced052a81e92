package module

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// stream is the result of an act that is sent while it is made, since it may be
// of any length: send sends a part of it.
type stream func(send func(part any) error) error

// streamLine is one line of a stream. The last one has End or Error: without
// it the stream broke off, and what came is not all.
type streamLine[T any] struct {
	Part  T      `json:"part,omitempty"`
	End   bool   `json:"end,omitempty"`
	Error string `json:"error,omitempty"`
}

// answer sends a stream. A fault before anything was sent is an error; a later
// one is told in the last line, since the status has been sent by then.
func (s stream) answer(w http.ResponseWriter) error {
	encoder := json.NewEncoder(w)
	began := false
	err := s(func(part any) error {
		if !began {
			began = true
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.Header().Set("Cache-Control", "no-store")
		}
		return encoder.Encode(streamLine[any]{Part: part})
	})
	last := streamLine[any]{End: true}
	if err != nil {
		if !began {
			return apiError(err)
		}
		last = streamLine[any]{Error: err.Error()}
	}
	_ = encoder.Encode(last) // whoever does not read it knows that it is missing
	return nil
}

// mailedView says to whom a link was mailed.
type mailedView struct {
	Mailed    []string  `json:"mailed"` // e-mail addresses
	Site      string    `json:"site"`
	ExpiresAt time.Time `json:"expires_at"`
}

// reportRoles are the roles that a request names.
func reportRoles(r *http.Request) ([]identity.Role, error) {
	roles, err := account.ReportRoles(r.URL.Query()["role"]...)
	if err != nil {
		return nil, mistaken{err}
	}
	return roles, nil
}

// reportSecondFactors is the report on second factors, a page of
// account.FactorStatus in each part.
func (d *desk) reportSecondFactors(r *http.Request) (any, error) {
	roles, err := reportRoles(r)
	if err != nil {
		return nil, err
	}
	event := d.event(r, "report.read", account.ReportTitle(roles))
	if err := d.store.Update(r.Context(), func(tx store.Tx) error { return d.trail.Within(tx, event) }); err != nil {
		return nil, fmt.Errorf("recording who reads the report: %w", err)
	}
	d.trail.Announce(event)
	return stream(func(send func(any) error) error {
		return d.people.ReportSecondFactors(r.Context(), roles, func(page []account.FactorStatus) error { return send(page) })
	}), nil
}

// mailSecondFactors mails every administrator a link to the report.
func (d *desk) mailSecondFactors(r *http.Request) (any, error) {
	roles, err := reportRoles(r)
	if err != nil {
		return nil, err
	}
	refused := func(why string) error { return caddy.APIError{HTTPStatus: http.StatusConflict, Message: why} }
	if !d.letters.Mails() {
		return nil, refused("no mail can be sent: put `mail smtp …` into the auth_gateway option and an `origin` into each site, " +
			"or print the report without --mail")
	}
	site, ok := d.sites.forRole(identity.Admin)
	if !ok {
		return nil, refused("the link would lead nowhere: no site is known where administrators sign in; " +
			"give an `origin` to one whose audience has the role admin")
	}
	administrators, err := d.people.ActiveAdministrators(r.Context())
	if err != nil {
		return nil, err
	}
	if len(administrators) == 0 {
		return nil, refused("there is nobody to mail the link to: make an administrator with `caddy auth-gateway user add … --role admin`, " +
			"or resume one with `user resume`")
	}
	link, expires, err := d.console.SecondFactorLink(roles)
	if err != nil {
		return nil, err
	}
	events := make([]store.Event, len(administrators))
	for i, a := range administrators {
		events[i] = d.event(r, "report.mail", account.ReportTitle(roles))
		events[i].AccountID = a.ID
	}
	err = d.store.Update(r.Context(), func(tx store.Tx) error {
		for _, event := range events {
			if err := d.trail.Within(tx, event); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("recording who is mailed the report: %w", err)
	}
	mailed := mailedView{Mailed: make([]string, len(administrators)), Site: site.String(), ExpiresAt: expires.Truncate(time.Second)}
	for i, a := range administrators {
		d.trail.Announce(events[i])
		d.letters.Report(letter.Report{Account: a, Link: link, Expires: expires}, site, d.language)
		mailed.Mailed[i] = a.Attributes.Email
	}
	return mailed, nil
}

package module

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func (d *desk) listSessions(r *http.Request) (any, error) {
	found, err := d.find(r)
	if err != nil {
		return nil, err
	}
	person, err := d.people.Show(r.Context(), found.ID)
	if err != nil {
		return nil, err
	}
	browsers := session.Browsers(person.Sessions)
	views := make([]sessionView, 0, len(browsers))
	for _, s := range browsers {
		views = append(views, viewSession(s))
	}
	return views, nil
}

// endSessions ends every session of an account.
func (d *desk) endSessions(r *http.Request) (any, error) {
	found, err := d.find(r)
	if err != nil {
		return nil, err
	}
	event := d.event(r, "session.revoke", "")
	event.AccountID = found.ID
	var ended endedView
	err = d.store.Update(r.Context(), func(tx store.Tx) error {
		ended.Ended = 0
		sessions, err := tx.Sessions(found.ID)
		if err != nil {
			return err
		}
		for _, s := range sessions {
			one, err := tx.EndFamily(s.Family)
			if err != nil {
				return err
			}
			if one {
				ended.Ended++
			}
		}
		event.Detail = fmt.Sprintf("all %d sessions", ended.Ended)
		return d.trail.Within(tx, event)
	})
	if err != nil {
		return nil, fmt.Errorf("ending the sessions of account %s: %w", found.ID, err)
	}
	d.trail.Announce(event)
	return ended, nil
}

// endSession ends one session with its family.
func (d *desk) endSession(r *http.Request) (any, error) {
	id, err := hex.DecodeString(r.PathValue("id"))
	if err != nil {
		return nil, mistaken{fmt.Errorf("%q is not the id of a session", r.PathValue("id"))}
	}
	event := d.event(r, "session.revoke", "one session")
	var found bool
	err = d.store.Update(r.Context(), func(tx store.Tx) error {
		s, err := tx.Session(id)
		if err != nil {
			return err
		}
		event.AccountID = s.AccountID
		if found, err = tx.EndSession(id); err != nil || !found {
			return err
		}
		return d.trail.Within(tx, event)
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && !found {
		return nil, caddy.APIError{HTTPStatus: http.StatusNotFound, Message: "there is no such session (any more)"}
	}
	if err != nil {
		return nil, fmt.Errorf("ending a session: %w", err)
	}
	d.trail.Announce(event)
	return endedView{Ended: 1}, nil
}

// explain says which way in an address gets, and why.
func (d *desk) explain(r *http.Request) (any, error) {
	query := r.URL.Query()
	client, err := netip.ParseAddr(query.Get("ip"))
	if err != nil {
		return nil, mistaken{fmt.Errorf("%q is not an IP address", query.Get("ip"))}
	}
	names := slices.Sorted(maps.Keys(d.doors))
	if name := query.Get("audience"); name != "" {
		if d.doors[name] == nil {
			return nil, mistaken{fmt.Errorf("there is no audience %q%s", name, mistake.DidYouMean(name, names))}
		}
		names = []string{name}
	}
	views := make([]wayInView, 0, len(names))
	for _, name := range names {
		door := d.doors[name]
		way := door.WayIn(client)
		view := wayInView{
			Audience: name, SSO: way.Straight, Password: way.Password, Refused: way.Refused, Reason: door.Explain(client),
		}
		for _, button := range way.Buttons {
			view.Buttons = append(view.Buttons, button.SSO)
		}
		views = append(views, view)
	}
	return views, nil
}

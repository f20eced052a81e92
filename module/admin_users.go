package module

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	defaultPage = 100  // accounts
	maxPage     = 1000 // accounts
)

// newUserBody is what POST /auth-gateway/users takes.
type newUserBody struct {
	Email string `json:"email"`
	Name  string `json:"name,omitempty"`
	// Role. Default: end-user.
	Role string `json:"role,omitempty"`
	// Password to begin with. Default: none, an invitation is issued.
	Password *string `json:"password,omitempty"`
}

// setUserBody is what PATCH /auth-gateway/users/{who} takes. What is left out
// stays.
type setUserBody struct {
	Email *string `json:"email,omitempty"`
	Name  *string `json:"name,omitempty"`
	Role  *string `json:"role,omitempty"`
}

func (d *desk) listUsers(r *http.Request) (any, error) {
	query := r.URL.Query()
	limit := defaultPage
	if text := query.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPage {
			return nil, mistaken{fmt.Errorf("limit: use a number from 1 to %d", maxPage)}
		}
	}
	accounts, err := d.people.List(r.Context(), query.Get("after"), limit)
	if err != nil {
		return nil, err
	}
	views := make([]userView, 0, len(accounts))
	for _, a := range accounts {
		views = append(views, viewUser(a))
	}
	return views, nil
}

func (d *desk) showUser(r *http.Request) (any, error) {
	found, err := d.find(r)
	if err != nil {
		return nil, err
	}
	person, err := d.people.Show(r.Context(), found.ID)
	if err != nil {
		return nil, err
	}
	return viewPerson(person, time.Now()), nil
}

func (d *desk) addUser(r *http.Request) (any, error) {
	var body newUserBody
	if err := readBody(r, &body); err != nil {
		return nil, err
	}
	role, err := identity.ParseRole(cmp.Or(body.Role, string(identity.EndUser)))
	if err != nil {
		return nil, mistaken{err}
	}
	n := account.NewAccount{Email: strings.TrimSpace(body.Email), Name: strings.TrimSpace(body.Name), Role: role}
	if err := account.CheckAttributes(identity.Attributes{Email: n.Email, Name: n.Name, Role: role}); err != nil {
		return nil, mistaken{err}
	}
	if body.Password != nil {
		if *body.Password == "" {
			return nil, mistaken{errors.New("the password is empty: leave it out to get a one-time link instead")}
		}
		n.Password = *body.Password
		n.Rules = account.Rules{Minimum: account.MinimumLength(policy.EveryDoorRequires(d.doors, role)), Words: d.words}
	}

	how := "without a password"
	if n.Password != "" {
		how = "with a password"
	}
	event := d.event(r, "user.add", fmt.Sprintf("%s, role %s, %s", n.Email, role, how))
	made, err := d.people.Create(r.Context(), n, d.recorded(&event))
	if errors.Is(err, store.ErrEmailTaken) {
		return nil, emailTaken(n.Email)
	}
	if err != nil {
		return nil, err
	}
	d.trail.Announce(event)
	issued := issuedView{userView: viewUser(made)}
	if n.Password != "" || !d.takesPassword(role) {
		return issued, nil
	}
	token, err := d.issue(r, &issued, store.PurposeInvitation)
	if err != nil {
		return nil, fmt.Errorf("account %s was made, but without a one-time link: %w; run `caddy auth-gateway user reset-password %[1]s` for one", n.Email, err)
	}
	if d.invite != nil {
		issued.Mailed = d.invite(made, token, issued.LinkExpiresAt)
	}
	return issued, nil
}

// takesPassword reports whether an audience that is open to the role takes
// passwords. Where none does, a link to set one leads nowhere.
func (d *desk) takesPassword(role identity.Role) bool {
	for _, door := range d.doors {
		if door.Password() && door.Admits(role) {
			return true
		}
	}
	return false
}

func (d *desk) resetPassword(r *http.Request) (any, error) {
	found, err := d.find(r)
	if err != nil {
		return nil, err
	}
	if !d.takesPassword(found.Attributes.Role) {
		return nil, caddy.APIError{
			HTTPStatus: http.StatusConflict,
			Message:    fmt.Sprintf("no audience that is open to role %s takes passwords: set `password on` in one", found.Attributes.Role),
		}
	}
	issued := issuedView{userView: viewUser(found)}
	_, err = d.issue(r, &issued, store.PurposeReset)
	return issued, err
}

// issue makes a one-time link.
func (d *desk) issue(r *http.Request, to *issuedView, purpose store.Purpose) (token string, err error) {
	event := d.event(r, "user.link", string(purpose))
	token, expires, err := d.people.IssueLink(r.Context(), to.ID, purpose, d.recorded(&event))
	if err != nil {
		return "", err
	}
	d.trail.Announce(event)
	to.LinkPath = answer.Reset + "?token=" + url.QueryEscape(token)
	to.LinkExpiresAt = expires
	return token, nil
}

func (d *desk) setUser(r *http.Request) (any, error) {
	found, err := d.find(r)
	if err != nil {
		return nil, err
	}
	var body setUserBody
	if err := readBody(r, &body); err != nil {
		return nil, err
	}
	if body == (setUserBody{}) {
		return nil, mistaken{errors.New("there is nothing to set: give an email, a name or a role")}
	}
	var attributes identity.Attributes
	event := d.event(r, "user.set", "")
	record := d.recorded(&event, d.keeper(r))
	err = d.people.SetAttributes(r.Context(), found.ID, func(a *identity.Attributes) error {
		before := *a
		for _, field := range []struct {
			to    *string
			value *string
		}{{&a.Email, body.Email}, {&a.Name, body.Name}, {(*string)(&a.Role), body.Role}} {
			if field.value != nil {
				*field.to = strings.TrimSpace(*field.value)
			}
		}
		if err := account.CheckAttributes(*a); err != nil {
			return mistaken{err}
		}
		attributes, event.Detail = *a, changed(before, *a)
		return nil
	}, record)
	switch {
	case errors.Is(err, store.ErrEmailTaken):
		return nil, emailTaken(attributes.Email)
	case err != nil:
		return nil, d.refused(event, found, err)
	}
	d.trail.Announce(event)
	after, err := d.people.Account(r.Context(), found.ID)
	if err == nil && identity.EmailKey(after.Attributes.Email) != identity.EmailKey(found.Attributes.Email) {
		notice := letter.Notice{Kind: pages.LetterAddressChanged}
		d.tell(found, notice) // at the address before, whoever reads there
		d.tell(after, notice)
	}
	return viewUser(after), err
}

// changed says what an edit changed, for the audit trail.
func changed(before, after identity.Attributes) string {
	var said []string
	for _, field := range []struct{ name, before, after string }{
		{"email", before.Email, after.Email},
		{"name", before.Name, after.Name},
		{"role", string(before.Role), string(after.Role)},
	} {
		if field.before != field.after {
			said = append(said, fmt.Sprintf("%s: %q to %q", field.name, field.before, field.after))
		}
	}
	if len(said) == 0 {
		return "nothing"
	}
	return strings.Join(said, ", ")
}

func (d *desk) suspendUser(r *http.Request) (any, error) {
	return d.change(r, "user.suspend", d.people.Suspend, d.keeper(r))
}

func (d *desk) resumeUser(r *http.Request) (any, error) {
	return d.change(r, "user.resume", d.people.Resume)
}

func (d *desk) unlockUser(r *http.Request) (any, error) {
	return d.change(r, "user.unlock", d.people.Unlock)
}

func (d *desk) resetSecondFactor(r *http.Request) (any, error) {
	result, err := d.change(r, "user.reset-second-factor", d.people.ResetSecondFactor)
	if err != nil {
		return nil, err
	}
	if of, err := d.find(r); err == nil {
		d.tell(of, letter.Notice{Kind: pages.LetterFactorRemoved})
	}
	return result, nil
}

func (d *desk) removeUser(r *http.Request) (any, error) {
	return d.change(r, "user.remove", d.people.Remove, d.keeper(r))
}

// change does what is told by nothing but whom it concerns, and returns the
// account as it is after it, or was before it was removed.
func (d *desk) change(r *http.Request, action string, do func(ctx context.Context, id string, then account.Then) error, guards ...account.Then) (any, error) {
	found, err := d.find(r)
	if err != nil {
		return nil, err
	}
	event := d.event(r, action, found.Attributes.Email)
	if err := do(r.Context(), found.ID, d.recorded(&event, guards...)); err != nil {
		return nil, d.refused(event, found, err)
	}
	d.trail.Announce(event)
	after, err := d.people.Account(r.Context(), found.ID)
	if errors.Is(err, store.ErrNotFound) {
		return viewUser(found), nil
	}
	return viewUser(after), err
}

// find returns the account that the path names, by address or id.
func (d *desk) find(r *http.Request) (store.Account, error) {
	who := r.PathValue("who")
	found, err := d.people.Find(r.Context(), who)
	if errors.Is(err, store.ErrNotFound) {
		return store.Account{}, caddy.APIError{
			HTTPStatus: http.StatusNotFound,
			Message:    fmt.Sprintf("there is no account with the address or id %q: `caddy auth-gateway user list` shows all", who),
		}
	}
	return found, err
}

// recorded makes the event part of an act's transaction, after the guards have
// agreed to it.
func (d *desk) recorded(event *store.Event, guards ...account.Then) account.Then {
	return func(tx store.Tx, before store.Account) error {
		for _, guard := range guards {
			if err := guard(tx, before); err != nil {
				return err
			}
		}
		event.AccountID = before.ID
		return d.trail.Within(tx, *event)
	}
}

// keeper is the guard of the last administrator, unless force is asked for.
func (d *desk) keeper(r *http.Request) account.Then {
	if r.URL.Query().Get("force") == "true" {
		return func(store.Tx, store.Account) error { return nil }
	}
	return account.KeepAdministrator
}

// refused puts into the audit trail that an act was not allowed. Other errors
// are no acts.
func (d *desk) refused(event store.Event, whose store.Account, err error) error {
	if errors.Is(err, account.ErrLastAdministrator) {
		event.AccountID, event.Outcome = whose.ID, audit.Refused
		event.Detail = "the last administrator"
		d.trail.Add(event)
	}
	return err
}

func emailTaken(email string) error {
	return caddy.APIError{
		HTTPStatus: http.StatusConflict,
		Message:    fmt.Sprintf("%s belongs to an account already: `caddy auth-gateway user show %[1]s` shows it", email),
	}
}

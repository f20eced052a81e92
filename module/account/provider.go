package account

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/time/rate"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Assertion is what a provider says of a person, believed by package sso.
type Assertion struct {
	// Issuer and Subject together are who it is. The address is an
	// attribute like any other.
	Issuer, Subject string

	// SSO is the name of the SSO config.
	SSO string

	Email         string
	EmailVerified bool

	// Attributes that the provider told. Name counts where it is told, Role
	// where a claim gave one; the e-mail address is that above.
	Attributes identity.Attributes

	// Changes are the other attributes that the provider told.
	Changes identity.Changes
}

// SignedIn is an account as a sign-in through a provider left it.
type SignedIn struct {
	store.Account

	// Refused: the person is not let in, since they are no member. No session
	// may be made.
	Refused bool

	// RoleBefore is the role that the account had; end-user if it was made
	// just now.
	RoleBefore identity.Role

	// LeftOut names the attributes for which the account has no room.
	LeftOut []string
}

// Admission says who may get an account through an SSO config.
type Admission struct {
	// Admit is the single word "any", the single word "existing", or mail
	// domains.
	//
	// With "any" and with domains an account is made at the first sign-in.
	// With "existing" none is made: the person takes over the account that
	// an administrator has prepared for that address. It is prepared if it
	// has role end-user and nobody has used it in any way: no sign-in, no
	// password, no second factor, no other provider, not suspended. That is
	// no way into what somebody has; every other account with the address
	// is refused, so that who controls an address at a provider controls
	// nobody's account, nor a role that was given to somebody else.
	Admit []string

	// TrustEmail: the provider vouches for addresses that it does not mark
	// as verified.
	TrustEmail bool

	// MaxRole is the highest role a claim can give. The zero value allows
	// end-user only.
	MaxRole identity.Role

	// Member reports whether somebody with that role is one of those whom the
	// person wants to join. Whoever is known and is not, is not let in; what
	// the provider told is kept all the same, for it may be what has made the
	// difference. nil: everybody is.
	Member func(identity.Role) bool
}

// Words of Admission.Admit that are not mail domains.
const (
	admitAny      = "any"
	admitExisting = "existing"
)

// RefusalReason says why a person whom a provider vouches for is not let in.
type RefusalReason string

// The reasons. Pages explain each.
const (
	// NoEmail: the provider told no address that mail could go to.
	NoEmail RefusalReason = "no_email"
	// Unverified: the provider does not say that the address is theirs.
	Unverified RefusalReason = "unverified"
	// NotAdmitted: the SSO config does not admit them.
	NotAdmitted RefusalReason = "not_admitted"
	// EmailTaken: the address belongs to another account.
	EmailTaken RefusalReason = "email_taken"
	// Suspended: their account is suspended.
	Suspended RefusalReason = "suspended"
	// NotMember: their role is not among those of Admission.Member.
	NotMember RefusalReason = "not_member"
	// TooManyNew: more accounts are made than may be; later it will work.
	TooManyNew RefusalReason = "too_many_new"
)

// Refusal is the error of a person who is known for sure and not let in.
type Refusal struct {
	Reason RefusalReason
	// Detail is for the log: what exactly, and what an operator can do.
	Detail string
}

// Error implements error.
func (r *Refusal) Error() string { return "refused (" + string(r.Reason) + "): " + r.Detail }

func refuse(reason RefusalReason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// SignInThroughProvider finds the account of the person that a provider
// vouches for, or makes it as the rules allow, takes over the attributes that
// the provider told, and records the sign-in. Then it calls then, in the same
// Update, to make the session; what then returns as an error undoes everything.
// It is called, too, when somebody known is refused as no member, so that what
// has changed can be told.
//
// The provider is the source of the attributes that it sends: they win over
// what an administrator has set meanwhile. What it does not send stays.
//
// The account is found by (issuer, subject) and nothing else. An address that
// the provider has changed to one of another account refuses the sign-in:
// going on with the old address would show the app a person whom the provider
// no longer knows by that name.
//
// A person who is not let in gets a *Refusal. Other errors are the store's, or
// those of then.
func (p *People) SignInThroughProvider(ctx context.Context, a Assertion, rules Admission, then func(tx store.Tx, in SignedIn) error) (SignedIn, error) {
	if a.Issuer == "" || a.Subject == "" || a.SSO == "" {
		return SignedIn{}, errors.New("signing in through a provider: the assertion has no issuer, subject or SSO config")
	}
	a.Email = strings.TrimSpace(a.Email)
	if !usableAddress(a.Email) {
		return SignedIn{}, refuse(NoEmail, "sso %s: %q is not an address that can be used", a.SSO, a.Email)
	}
	if !a.EmailVerified && !rules.TrustEmail {
		return SignedIn{}, refuse(Unverified, "sso %s: the provider does not mark %s as verified (email_verified); if it only ever sends addresses that it has checked, set trust_email",
			a.SSO, a.Email)
	}

	var in SignedIn
	counted := false // Update may run the function more than once
	err := p.store.Update(ctx, func(tx store.Tx) error {
		now := p.clock()
		account, err := tx.AccountBySSO(a.Issuer, a.Subject)
		known := err == nil
		switch {
		case errors.Is(err, store.ErrNotFound):
			account, err = p.admit(tx, a, rules, now, &counted)
		case err == nil && account.Suspended:
			err = refuse(Suspended, "sso %s: account %s is suspended", a.SSO, account.ID)
		}
		if err != nil {
			return err
		}
		in = SignedIn{RoleBefore: account.Attributes.Role}
		var role identity.Role
		if role, in.LeftOut, err = takeOver(tx, account, a, rules, now); err != nil {
			return err
		}
		in.Refused = rules.Member != nil && !rules.Member(role)
		switch {
		case in.Refused && !known:
			return notMember(a, account.ID, role)
		case !in.Refused:
			link := store.SSOLink{Issuer: a.Issuer, Subject: a.Subject, AccountID: account.ID, SSO: a.SSO, CreatedAt: now, UsedAt: now}
			if err := tx.SaveSSOLink(link); err != nil {
				return fmt.Errorf("linking account %s: %w", account.ID, err)
			}
			if err := tx.RecordSignIn(account.ID, now); err != nil {
				return fmt.Errorf("recording the sign-in of account %s: %w", account.ID, err)
			}
		}
		if in.Account, err = tx.Account(account.ID); err != nil {
			return fmt.Errorf("reading account %s: %w", account.ID, err)
		}
		return then(tx, in)
	})
	if err != nil {
		return SignedIn{}, err
	}
	if in.Refused {
		return in, notMember(a, in.ID, in.Attributes.Role)
	}
	return in, nil
}

func notMember(a Assertion, id string, role identity.Role) *Refusal {
	return refuse(NotMember, "sso %s: account %s has the role %s", a.SSO, id, role)
}

// admit returns the account of somebody whom the store does not know yet.
func (p *People) admit(tx store.Tx, a Assertion, rules Admission, now time.Time, counted *bool) (store.Account, error) {
	other, err := tx.AccountByEmail(a.Email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Account{}, fmt.Errorf("looking for the address: %w", err)
	}
	taken := err == nil

	if len(rules.Admit) == 1 && rules.Admit[0] == admitExisting {
		if !taken {
			return store.Account{}, refuse(NotAdmitted, "sso %s: admit existing: no account has been prepared for %s", a.SSO, a.Email)
		}
		used, err := usedAlready(tx, other)
		if err != nil {
			return store.Account{}, err
		}
		if used != "" {
			return store.Account{}, refuse(EmailTaken, "sso %s: admit existing: account %s with the address %s cannot be taken over: %s",
				a.SSO, other.ID, a.Email, used)
		}
		// The one-time link of the invitation ends here: from now on the
		// provider is the way in.
		if err := tx.MoveEpoch(other.ID, nil, now); err != nil {
			return store.Account{}, fmt.Errorf("ending what is under way for account %s: %w", other.ID, err)
		}
		return other, nil
	}

	if !admitted(rules.Admit, a.Email) {
		return store.Account{}, refuse(NotAdmitted, "sso %s: admit does not name the domain of %s", a.SSO, a.Email)
	}
	if taken {
		return store.Account{}, refuse(EmailTaken, "sso %s: the address %s belongs to account %s already", a.SSO, a.Email, other.ID)
	}
	if !*counted {
		if !p.creations.allow(a.SSO, now) {
			return store.Account{}, refuse(TooManyNew, "sso %s: more than %g new accounts a second", a.SSO, float64(creationsPerSSO))
		}
		*counted = true
	}
	account := store.Account{
		ID:         store.NewID(),
		Attributes: identity.Attributes{Email: a.Email, Name: a.Attributes.Name, Role: identity.EndUser},
		CreatedAt:  now,
		UpdatedAt:  now,
	}
	if err := tx.CreateAccount(account); err != nil {
		return store.Account{}, fmt.Errorf("making an account: %w", err)
	}
	return account, nil
}

// usedAlready returns what keeps an account from being taken over by whoever
// has its address, or "" for one that is prepared (see Admission).
func usedAlready(tx store.Tx, account store.Account) (string, error) {
	switch {
	case account.Suspended:
		return "it is suspended", nil
	case account.Attributes.Role != identity.EndUser:
		return "its role is " + string(account.Attributes.Role), nil
	case !account.LastSignIn.IsZero():
		return "somebody has signed in to it", nil
	}
	switch _, err := tx.Password(account.ID); {
	case err == nil:
		return "it has a password", nil
	case !errors.Is(err, store.ErrNotFound):
		return "", fmt.Errorf("looking for a password: %w", err)
	}
	factors, err := tx.Factors(account.ID)
	if err != nil {
		return "", fmt.Errorf("looking for second factors: %w", err)
	}
	links, err := tx.SSOLinks(account.ID)
	if err != nil {
		return "", fmt.Errorf("looking for SSO links: %w", err)
	}
	switch {
	case len(factors) > 0:
		return "it has a second factor", nil
	case len(links) > 0:
		return "it is linked to a provider", nil
	}
	return "", nil
}

// admitted reports whether an account may be made for the address.
func admitted(admit []string, email string) bool {
	if len(admit) == 1 && admit[0] == admitAny {
		return true
	}
	domain := strings.ToLower(email[strings.LastIndexByte(email, '@')+1:])
	return slices.ContainsFunc(admit, func(allowed string) bool { return domain == strings.ToLower(allowed) })
}

// takeOver stores what the provider told, if it is something new, and returns
// the role that the account has now. leftOut names the attributes for which there
// is no room.
func takeOver(tx store.Tx, account store.Account, a Assertion, rules Admission, now time.Time) (role identity.Role, leftOut []string, err error) {
	had, attributes := account.Attributes, account.Attributes
	leftOut = a.Changes.Apply(&attributes)
	attributes.Email = a.Email
	if a.Attributes.Name != "" {
		attributes.Name = a.Attributes.Name
	}
	if attributes.Role, err = roleByClaim(tx, account, a.Attributes.Role, rules.MaxRole); err != nil {
		return "", nil, err
	}
	settle(&attributes)
	if attributes.Equal(&had) {
		return attributes.Role, leftOut, nil
	}
	err = tx.SaveAttributes(account.ID, attributes, now)
	if errors.Is(err, store.ErrEmailTaken) {
		return "", nil, refuse(EmailTaken, "sso %s: the provider changed the address of account %s from %s to %s, which belongs to another account",
			a.SSO, account.ID, had.Email, attributes.Email)
	}
	if err != nil {
		return "", nil, fmt.Errorf("saving the attributes of account %s: %w", account.ID, err)
	}
	return attributes.Role, leftOut, nil
}

// settle takes away what does not count for who has the role: a custom role
// does from agent up.
func settle(attributes *identity.Attributes) {
	if !attributes.Role.AtLeast(identity.Agent) {
		attributes.CustomRoleID = ""
	}
}

// roleByClaim returns the role of an account after a claim has spoken. No
// claim changes nothing. A claim gives at most limit, and one that asks for
// more than that takes nothing away from who has more; nor does any claim take
// the role from the last administrator: unlike KeepAdministrator, which undoes
// an act, it is passed over then, for the person is still to be let in.
func roleByClaim(tx store.Tx, account store.Account, claimed, limit identity.Role) (identity.Role, error) {
	has := account.Attributes.Role
	if _, err := identity.ParseRole(string(claimed)); err != nil {
		return has, nil
	}
	if _, err := identity.ParseRole(string(limit)); err != nil {
		limit = identity.EndUser
	}
	given := claimed
	if !limit.AtLeast(given) {
		given = limit
	}
	if given != claimed && has.AtLeast(given) && claimed.AtLeast(has) {
		return has, nil
	}
	if has == identity.Admin && given != identity.Admin && !account.Suspended {
		administrators, err := tx.Administrators()
		if err != nil {
			return "", fmt.Errorf("counting administrators: %w", err)
		}
		if administrators <= 1 {
			return has, nil
		}
	}
	return given, nil
}

// usableAddress reports whether email is a plain address, name@domain, in
// which no character turns into an ASCII letter when case is ignored: with the
// Kelvin sign for k somebody else's address could be spelled.
func usableAddress(email string) bool {
	if len(email) > maxEmail || strings.ContainsAny(email, "\"[]()<>,;:\\") {
		return false
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email {
		return false
	}
	return !strings.ContainsFunc(email, func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || (r >= utf8.RuneSelf && (unicode.ToLower(r) < utf8.RuneSelf || unicode.ToUpper(r) < utf8.RuneSelf))
	})
}

// How fast accounts are made through providers, in accounts a second, and how
// many at once: enough for a company's first Monday morning, too few to fill
// a disk with by means of a provider where anybody can register.
const (
	creationsPerSSO      rate.Limit = 3
	creationsPerSSOBurst            = 500
	creationsOverall     rate.Limit = 5
	creationsBurst                  = 1000
)

// creations limits how fast accounts are made. The zero value is ready.
type creations struct {
	mu      sync.Mutex
	overall *rate.Limiter
	bySSO   map[string]*rate.Limiter // by names that operators gave
}

// allow counts one account and reports whether it may be made.
func (c *creations) allow(sso string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.overall == nil {
		c.overall = rate.NewLimiter(creationsOverall, creationsBurst)
		c.bySSO = map[string]*rate.Limiter{}
	}
	own := c.bySSO[sso]
	if own == nil {
		own = rate.NewLimiter(creationsPerSSO, creationsPerSSOBurst)
		c.bySSO[sso] = own
	}
	// Nothing is taken from the one when the other refuses.
	return own.TokensAt(now) >= 1 && c.overall.AllowN(now, 1) && own.AllowN(now, 1)
}

// Interface guards.
var _ error = (*Refusal)(nil)

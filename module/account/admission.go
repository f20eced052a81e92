package account

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

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
	// nobody's account, nor a role that was given to somebody else; but see
	// JoinVerified.
	Admit []string

	// TrustEmail: the provider vouches for addresses that it does not mark
	// as verified.
	TrustEmail bool

	// JoinVerified: whoever is admitted and not known yet joins the account
	// that has their verified address, see mayJoin. Without it they are refused.
	JoinVerified bool

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

// admit returns the account of somebody whom the store does not know yet, and
// whether they join it: it was somebody's before.
func (p *People) admit(tx store.Tx, a Assertion, rules Admission, now time.Time, counted *bool) (account store.Account, joins bool, err error) {
	other, err := tx.AccountByEmail(a.Email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Account{}, false, fmt.Errorf("looking for the address: %w", err)
	}
	taken := err == nil
	onlyExisting := len(rules.Admit) == 1 && rules.Admit[0] == admitExisting

	switch {
	case onlyExisting && !taken:
		return store.Account{}, false, refuse(NotAdmitted, "sso %s: admit existing: no account has been prepared for %s", a.SSO, a.Email)
	case !onlyExisting && !admitted(rules.Admit, a.Email):
		return store.Account{}, false, refuse(NotAdmitted, "sso %s: admit does not name the domain of %s", a.SSO, a.Email)
	case taken && (onlyExisting || rules.JoinVerified):
		joins, err := letInto(tx, a, rules, other, now)
		return other, joins, err
	case taken:
		return store.Account{}, false, refuse(EmailTaken, "sso %s: the address %s belongs to account %s already; `link verified_email` would let end users join it",
			a.SSO, a.Email, other.ID)
	}
	if !*counted {
		if !p.creations.allow(a.SSO, now) {
			return store.Account{}, false, refuse(TooManyNew, "sso %s: more than %g new accounts a second", a.SSO, float64(creationsPerSSO))
		}
		*counted = true
	}
	account = store.Account{
		ID:         store.NewID(),
		Attributes: identity.Attributes{Email: a.Email, Name: a.Attributes.Name, Role: identity.EndUser},
		CreatedAt:  now,
		UpdatedAt:  now,
	}
	if err := tx.CreateAccount(account); err != nil {
		return store.Account{}, false, fmt.Errorf("making an account: %w", err)
	}
	return account, false, nil
}

// letInto lets a person into the account that has their address, or refuses:
// the one that was prepared for them, or one that was somebody's before, which
// they join.
func letInto(tx store.Tx, a Assertion, rules Admission, other store.Account, now time.Time) (joins bool, err error) {
	used, err := usedAlready(tx, other)
	switch {
	case err != nil:
		return false, err
	case used != "" && !rules.JoinVerified:
		return false, refuse(EmailTaken, "sso %s: admit existing: account %s with the address %s cannot be taken over: %s", a.SSO, other.ID, a.Email, used)
	case used != "":
		if err := mayJoin(tx, a, other); err != nil {
			return false, err
		}
	}
	// What rests on the earlier way in and is not finished ends: one-time
	// links, sign-ins under way, sessions and trusted browsers. A password
	// stays.
	if err := tx.MoveEpoch(other.ID, nil, now); err != nil {
		return false, fmt.Errorf("ending what is under way for account %s: %w", other.ID, err)
	}
	return used != "", nil
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

package store

import (
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

// Account is a person the gateway knows.
type Account struct {
	ID         string // opaque, never reused; see NewID
	Attributes identity.Attributes
	Suspended  bool
	// Epoch is the security epoch. It moves when a password or factor
	// changes, and at suspension; flows and sessions of an earlier epoch
	// are dead.
	Epoch      int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
	LastSignIn time.Time // zero: never
}

// SSOLink says that an identity of a provider is an account's.
type SSOLink struct {
	Issuer, Subject string
	AccountID       string
	SSO             string // name of the SSO config it was last used through
	// Email is the address as the provider had it last; "" if nobody knows.
	Email string
	// Added: the person added it to an account that they were signed in to.
	Added     bool
	CreatedAt time.Time
	UsedAt    time.Time // zero: never
}

// AccountRows reads and writes accounts. Each write tells Subscribe.
type AccountRows interface {
	// CreateAccount adds a. ErrEmailTaken if its address is in use.
	CreateAccount(a Account) error
	Account(id string) (Account, error)
	// AccountByEmail compares without case (identity.EmailKey).
	AccountByEmail(email string) (Account, error)
	AccountBySSO(issuer, subject string) (Account, error)
	// Accounts lists by e-mail address, those after the given address.
	Accounts(afterEmail string, limit int) ([]Account, error)
	// SaveAttributes replaces the attributes. ErrEmailTaken likewise.
	SaveAttributes(id string, attributes identity.Attributes, now time.Time) error
	// SetSuspended also moves the epoch and ends sessions, flows and
	// one-time links when suspended is true.
	SetSuspended(id string, suspended bool, now time.Time) error
	// MoveEpoch ends all flows, one-time links and trusted devices of the
	// account and all its sessions but the one given with its family (nil:
	// none is kept), whose epoch moves along.
	MoveEpoch(id string, keepSession []byte, now time.Time) error
	// RemoveAccount removes the account and all rows that hang on it,
	// apart from the audit trail.
	RemoveAccount(id string) error
	RecordSignIn(id string, now time.Time) error
	// Administrators counts accounts with role admin not suspended.
	Administrators() (int, error)

	// SaveSSOLink adds a link, or says when it was used, through which SSO
	// config and with which address. ErrLinkTaken.
	SaveSSOLink(link SSOLink) error
	// DeleteSSOLink removes one. ErrNotFound if the account has none such.
	DeleteSSOLink(accountID, issuer, subject string) error
	SSOLinks(accountID string) ([]SSOLink, error)
}

// Password is an account's password, hashed.
type Password struct {
	AccountID string
	Hash      string // PHC string, $argon2id$…
	SetAt     time.Time
}

// PasswordRows reads and writes passwords.
type PasswordRows interface {
	Password(accountID string) (Password, error)
	// SavePassword only stores; the caller moves the epoch, except when it
	// stores a rehash of the same password.
	SavePassword(p Password) error
}

// Method is a way to obtain a passcode.
type Method string

// The methods.
const (
	MethodApp   Method = "app"
	MethodEmail Method = "email"
	MethodSMS   Method = "sms"

	// MethodRecovery is a recovery code. No Factor has it.
	MethodRecovery Method = "recovery"
)

// Factor is one second factor of an account.
type Factor struct {
	ID        string
	AccountID string
	Method    Method
	Secret    []byte // sealed, bound to the row's id; empty unless MethodApp
	Address   string // phone number or address; empty for MethodApp
	// Required: set up because the audience required it, not by choice.
	Required  bool
	Preferred bool
	// Step is the TOTP time step used last; only later ones count.
	Step      int64
	CreatedAt time.Time
	UsedAt    time.Time
}

// FactorRows reads and writes second factors and recovery codes.
type FactorRows interface {
	Factors(accountID string) ([]Factor, error)
	CreateFactor(f Factor) error
	DeleteFactors(accountID string) error // recovery codes too
	// DeleteFactor removes one. ErrNotFound if the account has none such.
	DeleteFactor(accountID, id string) error
	// PreferFactor makes one the preferred one and no other. ErrNotFound
	// likewise.
	PreferFactor(accountID, id string) error
	// ChooseFactors marks all of them as set up by choice.
	ChooseFactors(accountID string) error
	// UseFactor records when one was used.
	UseFactor(id string, now time.Time) error
	// UseStep compares and stores in one statement: true for the one caller
	// whose step is later than all before.
	UseStep(factorID string, step int64, now time.Time) (bool, error)
	// ReplaceRecoveryCodes forgets the earlier codes.
	ReplaceRecoveryCodes(accountID string, hashes [][]byte, now time.Time) error
	// SpendRecoveryCode is true for one caller per code.
	SpendRecoveryCode(accountID string, hash []byte, now time.Time) (bool, error)
	RecoveryCodesLeft(accountID string) (int, error)
}

// Stage is what a flow waits for.
type Stage string

// The stages.
const (
	StagePasscode Stage = "passcode" // a passcode
	StageEnroll   Stage = "enroll"   // a second factor to be set up
	StageReplace  Stage = "replace"  // one to be set up in place of that of its Method
)

// Flow is one sign-in under way after the password has been believed.
type Flow struct {
	ID        []byte // SHA-256 of the id in the cookie
	AccountID string
	Epoch     int64
	Stage     Stage
	Audience  string
	ReturnTo  string
	// Session is the session being stepped up, or nil.
	Session []byte
	// Secret is the sealed TOTP secret of an enrolment, or nil.
	Secret []byte
	// Method is the one a passcode is asked from; "" before there was a choice.
	Method Method
	// Phone is the number that is set up, until a code proves it.
	Phone string
	// Code is the hash of the code that was sent last, nil when there is
	// none. It counts until CodeExpires.
	Code        []byte
	CodeExpires time.Time
	// Tries counts wrong guesses at Code.
	Tries int
	// Sent counts the codes that were sent; SentAt is when the last one was.
	Sent   int
	SentAt time.Time
	// MustChange: the password has to be changed before anything opens.
	MustChange bool
	// PasswordAt is when the password was given.
	PasswordAt time.Time
	CreatedAt  time.Time
	ExpiresAt  time.Time
}

// FlowRows reads and writes flows.
type FlowRows interface {
	// CreateFlow drops the oldest flows of the account so that at most
	// limit are left.
	CreateFlow(f Flow, limit int) error
	Flow(id []byte) (Flow, error)
	SaveFlow(f Flow) error // ErrNotFound if it has ended
	// SpendCode compares and forgets in one statement: true for the one
	// caller whose hash is that of the code that was sent last, while it
	// counts and fewer than tries wrong ones have been tried.
	SpendCode(flowID, hash []byte, tries int, now time.Time) (bool, error)
	// MissCode counts a wrong guess.
	MissCode(flowID []byte) error
	// EndFlow is true for the one caller that ended it.
	EndFlow(id []byte) (bool, error)
}

// TrustedDevice is a browser in which somebody gave a passcode and is not asked
// for one again for a while.
type TrustedDevice struct {
	ID        []byte // of one browser and one account
	AccountID string
	Method    Method // how the passcode was made
	Address   string // the client's address when it was trusted
	Browser   string // User-Agent then, at most 256 bytes
	CreatedAt time.Time
	UsedAt    time.Time
	ExpiresAt time.Time
}

// DeviceRows reads and writes trusted devices. MoveEpoch forgets those of the
// account.
type DeviceRows interface {
	TrustDevice(d TrustedDevice) error
	// TrustedDevice returns a device that the account trusts at now.
	TrustedDevice(accountID string, id []byte, now time.Time) (TrustedDevice, error)
	// UseTrustedDevice likewise, and records that it was used.
	UseTrustedDevice(accountID string, id []byte, now time.Time) (bool, error)
	TrustedDevices(accountID string, now time.Time) ([]TrustedDevice, error) // newest first
	// ForgetDevice is true for the one caller that forgot it.
	ForgetDevice(accountID string, id []byte) (bool, error)
}

// Session is one signed-in browser, on one site where there is a portal.
type Session struct {
	ID []byte // SHA-256 of the id in the cookie
	// Family is what the sessions of one browser share that were made from
	// one another: the ID of the first. They belong to one account, were made
	// in one way, and end together. Empty when creating: its own ID.
	Family    []byte
	AccountID string
	Epoch     int64
	// SSO is the SSO config that made it, "" for a password.
	SSO string
	// Audience is the audience it was made for.
	Audience string
	// SignedInAt is when the password or provider was last believed.
	SignedInAt time.Time
	// ProvedAt is when the person proved to the provider who they are, as far
	// as it told; zero for a password. SignedInAt may be much later: who is
	// signed in there is not asked again.
	ProvedAt time.Time
	// SecondFactor is how the passcode was made that was accepted, which may
	// be MethodRecovery; "": there was none.
	SecondFactor Method
	// SecondFactorAt is when a passcode was accepted; zero: never.
	SecondFactorAt time.Time
	// Trusted: it was accepted at an earlier sign-in, in a browser that is
	// trusted since.
	Trusted     bool
	CreatedAt   time.Time
	SeenAt      time.Time
	IdleTimeout time.Duration
	ExpiresAt   time.Time
	Address     string // the client's address at sign-in
	Browser     string // User-Agent at sign-in, at most 256 bytes
}

// SessionRows reads and writes sessions. Ending one tells Subscribe.
type SessionRows interface {
	CreateSession(s Session) error
	Session(id []byte) (Session, error)
	Sessions(accountID string) ([]Session, error) // newest first
	// EndSession ends a session with all others of its family. It is true
	// for the one caller that ended them.
	EndSession(id []byte) (bool, error)
	// EndFamily likewise, by what they share.
	EndFamily(family []byte) (bool, error)
	// LimitFamily shortens how long each session of the family lasts: IdleTimeout
	// to idle and ExpiresAt to end, where they are later.
	LimitFamily(family []byte, idle time.Duration, end time.Time) error
	// FamilyAlive reports whether a session of the family is left. Like any
	// row it may be there for a while after its lifetime.
	FamilyAlive(family []byte) (bool, error)
	// DropSession ends one session and no other of its family: another takes
	// its place. No row: no error.
	DropSession(id []byte) error
	// SawFamily moves SeenAt of the sessions of a family forward, never back.
	// No row: no error.
	SawFamily(family []byte, at time.Time) error
}

// ProviderSession is what the provider that somebody signed in through knows of
// the session that was made then.
type ProviderSession struct {
	Session         []byte // id of the session
	SSO             string // name of the SSO config
	Issuer, Subject string
	SID             string // the provider's own session, "" if it told none
	// CheckedAt is when the provider last vouched for the person, or was
	// last going to be asked.
	CheckedAt time.Time
	// Secret is sealed, bound to the row's id; nil when there is nothing to
	// keep. Package upstream knows what it holds.
	Secret []byte
}

// ProviderSessionRows reads and writes what providers know of sessions. The row
// goes with its session. Lists have at most limit rows.
type ProviderSessionRows interface {
	// SaveProviderSession adds the row of a session, or replaces it.
	// ErrNotFound if there is no such session (any more).
	SaveProviderSession(p ProviderSession) error
	// ProviderSession returns the row of a session, or of another of its
	// family: those that are made from a session have none of their own.
	ProviderSession(session []byte) (ProviderSession, error)
	// ProviderSessionsOf lists those of a subject.
	ProviderSessionsOf(issuer, subject string, limit int) ([]ProviderSession, error)
	// ProviderSessionsBySID lists those of a provider's session; none for "".
	ProviderSessionsBySID(issuer, sid string, limit int) ([]ProviderSession, error)
	// ClaimProviderSession compares and stores CheckedAt in one statement:
	// true for the one caller that moves it from was to now, which must
	// differ by a microsecond at least.
	ClaimProviderSession(session []byte, was, now time.Time) (bool, error)

	// NoteProviderLogout remembers when a provider last said of something,
	// which package upstream names by a hash, that it has ended. An hour
	// later that is forgotten: no sign-in takes so long.
	NoteProviderLogout(id []byte, now time.Time) error
	// ProviderLogout returns when that was, the zero time if it was not.
	ProviderLogout(id []byte) (time.Time, error)
}

// Ticket has a session of one site, the portal, make one of the same family on
// another. It goes with the session it was made for.
type Ticket struct {
	ID      []byte // SHA-256 of what is in the address
	Session []byte // id of the portal's session
	Origin  string // of the site that it is good for
	// Binding is the SHA-256 of what the browser that asked for it has in a
	// cookie of that site.
	Binding   []byte
	CreatedAt time.Time
	ExpiresAt time.Time
}

// TicketRows reads and writes tickets.
type TicketRows interface {
	// CreateTicket drops the oldest tickets of the session so that at most
	// limit are left. ErrNotFound if there is no such session (any more).
	CreateTicket(t Ticket, limit int) error
	// Ticket returns a ticket that is neither used nor expired at now.
	Ticket(id []byte, now time.Time) (Ticket, error)
	// SpendTicket likewise, and uses it up: one caller gets it.
	SpendTicket(id []byte, now time.Time) (Ticket, error)
}

// Purpose says what a one-time link is for.
type Purpose string

// The purposes.
const (
	PurposeInvitation Purpose = "invitation"
	PurposeReset      Purpose = "reset"
)

// OneTimeLink lets its holder set a password once.
type OneTimeLink struct {
	ID        []byte // SHA-256 of the token
	AccountID string
	Purpose   Purpose
	CreatedAt time.Time
	ExpiresAt time.Time
}

// OneTimeLinkRows reads and writes one-time links.
type OneTimeLinkRows interface {
	// CreateOneTimeLink ends the account's earlier ones.
	CreateOneTimeLink(l OneTimeLink) error
	// OneTimeLink returns a link that is neither used nor expired at now.
	OneTimeLink(id []byte, now time.Time) (OneTimeLink, error)
	// SpendOneTimeLink likewise, and uses it up: one caller gets it.
	SpendOneTimeLink(id []byte, now time.Time) (OneTimeLink, error)
}

// Failures counts wrong guesses under one key.
type Failures struct {
	Count int
	Last  time.Time
}

// KeptKey begins the keys of counters that Prune leaves alone however long
// nothing was counted under them: only ClearFailures forgets those.
const KeptKey = "kept/"

// GuessRows counts guesses and remembers what may be used only once.
type GuessRows interface {
	// Failures returns the zero value for an unknown key.
	Failures(key string) (Failures, error)
	// CountFailure adds one and returns the new value. With leak > 0, one
	// failure is forgotten first for each leak that passed since Last.
	CountFailure(key string, now time.Time, leak time.Duration) (Failures, error)
	// UncountFailure takes one off, not below zero.
	UncountFailure(key string) error
	ClearFailures(key string) error

	// UseState is true for the first caller with that id (SHA-256 of a
	// state). It is remembered until expires.
	UseState(id []byte, expires time.Time) (bool, error)
}

// SealedValue is one value sealed at rest.
type SealedValue struct {
	Table string // "factors", "flows", "assertion_keys" or "provider_sessions"
	Row   string // id, as it was bound when sealing
	Value []byte
}

// SealedRows finds sealed values by the key that sealed them: the first
// secret.KeyIDSize bytes of the value name it.
type SealedRows interface {
	// SealedKeys counts sealed values by key id.
	SealedKeys() (map[string]int, error)
	// SealedNotWith lists values sealed with another key than that.
	SealedNotWith(keyID []byte, limit int) ([]SealedValue, error)
	// Reseal replaces old by new if the value still is old.
	Reseal(old SealedValue, new []byte) error
}

// AssertionKey is a key that signs assertions for a while and is then followed
// by another.
type AssertionKey struct {
	ID string // thumbprint of the public key (RFC 7638)
	// Succeeds is the ID of the key before it, "" for the first one.
	Succeeds  string
	Secret    []byte // the private key, sealed, bound to the row's id
	SignsFrom time.Time
}

// AssertionRows reads and writes the keys of assertions.
type AssertionRows interface {
	AssertionKeys() ([]AssertionKey, error) // by SignsFrom, earliest first
	// CreateAssertionKey is true for the one caller whose key follows the one
	// that it succeeds.
	CreateAssertionKey(k AssertionKey) (bool, error)
	DeleteAssertionKey(id string) error // no row: no error
}

// Event is one entry of the audit trail.
type Event struct {
	At        time.Time
	Action    string // e.g. "sign-in", "sign-out", "user.suspend"
	Outcome   string // "success", "failure" or "refused"
	AccountID string // whom it concerns; "" when unknown
	Actor     string // who did it: account id, "command line", or "" for the person
	Address   string // the client's address
	How       string // "password", "sso okta", "passcode app", …
	Detail    string // never a secret
	ErrorID   string
	// Count adds up equal events of a flood; 1 otherwise.
	Count int
}

// AuditRows reads and writes the audit trail.
type AuditRows interface {
	Audit(e Event) error
	// Events lists newest first; accountID "" means everyone's.
	Events(accountID string, limit int) ([]Event, error)
}

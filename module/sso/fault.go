package sso

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"unicode"
)

// FaultKind says why a sign-in through a provider failed, as far as a plain
// sentence on a page depends on it.
type FaultKind string

// The kinds. Pages have a sentence for each.
const (
	// FaultUnreachable: the provider cannot be reached, or answers with a
	// server error where a document or token was expected.
	FaultUnreachable FaultKind = "unreachable"
	// FaultTimeout: the provider did not answer in time.
	FaultTimeout FaultKind = "timeout"
	// FaultDiscovery: the discovery document is missing or of no use.
	FaultDiscovery FaultKind = "discovery"
	// FaultIssuer: the discovery document or the ID token is another
	// issuer's.
	FaultIssuer FaultKind = "issuer"
	// FaultKeys: the provider publishes no key that can be used.
	FaultKeys FaultKind = "keys"
	// FaultScope: the provider refuses a scope.
	FaultScope FaultKind = "scope"
	// FaultClient: the provider refuses the client id or its secret.
	FaultClient FaultKind = "client"
	// FaultUnauthorized: the provider knows the client and does not let it
	// sign people in this way.
	FaultUnauthorized FaultKind = "unauthorized"
	// FaultRedirect: the provider refuses the callback's address, as far
	// as that can be told: most say so on a page of their own.
	FaultRedirect FaultKind = "redirect"
	// FaultDenied: the person, or a rule at the provider, said no.
	FaultDenied FaultKind = "denied"
	// FaultInteraction: the provider wants the person to sign in, to choose
	// or to consent there first.
	FaultInteraction FaultKind = "interaction"
	// FaultUnavailable: the provider says that it has a problem of its own.
	FaultUnavailable FaultKind = "unavailable"
	// FaultGrant: the code or refresh token was used before, is too old, was
	// taken back or is not ours.
	FaultGrant FaultKind = "grant"
	// FaultToken: a token or the userinfo is not to be believed. Err says
	// what is wrong with it.
	FaultToken FaultKind = "token"
	// FaultSubject: what the provider told is about somebody else.
	FaultSubject FaultKind = "subject"
	// FaultClock: a token is dated too far from the time here: a clock is
	// wrong.
	FaultClock FaultKind = "clock"
	// FaultNoEmail: the provider told no e-mail address.
	FaultNoEmail FaultKind = "no_email"
	// FaultResponse: the response is not the answer to what was asked:
	// wrong state, wrong issuer, a parameter twice.
	FaultResponse FaultKind = "response"
	// FaultOther is everything else.
	FaultOther FaultKind = "other"
)

// maxText is how long the text of a fault may be, in characters: libraries
// quote what a provider sent at whatever length.
const maxText = 800

// Fault is the error of every sign-in that failed in this package. Its text
// is for the log; it never holds a secret, a code or a token.
type Fault struct {
	Kind FaultKind

	// SSO is the name of the SSO config.
	SSO string

	// ProviderError and ProviderDescription are the provider's own words
	// (RFC 6749 sections 4.1.2.1 and 5.2), shortened, without control
	// characters. Empty if the provider did not say anything.
	ProviderError, ProviderDescription string

	// Err is what happened, where, and what to do.
	Err error
}

// Error implements error.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString("sso")
	if f.SSO != "" {
		b.WriteString(" " + f.SSO)
	}
	if f.Err != nil {
		b.WriteString(": " + words(f.Err.Error(), maxText, nil))
	}
	if f.ProviderError != "" {
		fmt.Fprintf(&b, ": the provider says %q", f.ProviderError)
		if f.ProviderDescription != "" {
			fmt.Fprintf(&b, " (%q)", f.ProviderDescription)
		}
	}
	return b.String()
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// AtProvider reports whether the provider, or what this gateway and it have
// agreed upon, is at fault rather than the person or the browser. Such a
// fault is answered with 502.
func (f *Fault) AtProvider() bool {
	switch f.Kind {
	case FaultDenied, FaultInteraction, FaultGrant, FaultNoEmail, FaultResponse:
		return false
	case FaultOther:
		return !errors.Is(f.Err, context.Canceled)
	}
	return true
}

// Denies reports whether the provider, asked again by Refresh, has said no:
// the grant is over, a rule there or the lack of a person who does something
// stands against it, or whom it speaks of is somebody else. With every other
// fault it has said nothing: it was not reached, has a problem of its own or one
// with this client, or cannot be understood.
func (f *Fault) Denies() bool {
	switch f.Kind {
	case FaultGrant, FaultDenied, FaultInteraction, FaultSubject:
		return true
	}
	return false
}

// faultf returns a fault; %w keeps a cause.
func faultf(kind FaultKind, format string, args ...any) *Fault {
	return &Fault{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// asFault returns err as a fault. What a call to the provider can fail with
// is told apart here; anything else is of the given kind.
func asFault(kind FaultKind, doing string, err error) *Fault {
	var fault *Fault
	if errors.As(err, &fault) {
		return fault
	}
	var network net.Error
	var call *url.Error
	switch {
	case errors.Is(err, context.Canceled):
		kind = FaultOther
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		kind = FaultTimeout
	case errors.Is(err, errTooLarge), errors.Is(err, errRedirect):
		// of the given kind: the provider is there
	case errors.As(err, &call):
		kind = FaultUnreachable
	}
	return faultf(kind, "%s: %w", doing, err)
}

// providerFault returns the fault for an error that the provider named
// (RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core 3.1.2.6).
func providerFault(doing, code, description string, secrets ...string) *Fault {
	fault := &Fault{
		Kind:                FaultOther,
		ProviderError:       words(code, 64, secrets),
		ProviderDescription: words(description, 300, secrets),
		Err:                 errors.New(doing),
	}
	switch code {
	case "invalid_scope":
		fault.Kind = FaultScope
	case "invalid_client":
		fault.Kind = FaultClient
	case "unauthorized_client", "unsupported_response_type", "unsupported_grant_type":
		fault.Kind = FaultUnauthorized
	case "invalid_redirect_uri", "redirect_uri_mismatch":
		fault.Kind = FaultRedirect
	case "access_denied":
		fault.Kind = FaultDenied
	case "login_required", "interaction_required", "consent_required", "account_selection_required":
		fault.Kind = FaultInteraction
	case "temporarily_unavailable", "server_error":
		fault.Kind = FaultUnavailable
	case "invalid_grant":
		fault.Kind = FaultGrant
	}
	// There is no code of its own for a callback address that is not
	// registered; providers that come back at all say it in words.
	if code == "invalid_grant" || code == "invalid_request" {
		if said := strings.ToLower(description); strings.Contains(said, "redirect_uri") || strings.Contains(said, "redirect uri") {
			fault.Kind = FaultRedirect
		}
	}
	return fault
}

// words returns what a provider said as it may go into a log: cut off, without
// control characters, and without the secrets, which some providers repeat.
func words(text string, limit int, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) < 4 { // would blank out ordinary words
			continue
		}
		for _, spelled := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			text = strings.ReplaceAll(text, spelled, "[removed]")
		}
	}
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > limit {
			b.WriteString("…")
			break
		}
		if !unicode.IsGraphic(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// Interface guards.
var _ error = (*Fault)(nil)

package sso

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// multiTenantHosts are Microsoft's sign-in hosts, all clouds. Their issuers
// have the tenant in the path; some words there mean "any tenant".
var multiTenantHosts = []string{
	"login.microsoftonline.com",
	"login.microsoftonline.us",
	"login.partner.microsoftonline.cn",
	"login.chinacloudapi.cn",
	"login.microsoftonline.de",
	"login.microsoft.com",
	"login.windows.net",
	"sts.windows.net",
}

// ValidateIssuer returns an error that says what to write instead, unless
// issuer can be the issuer identifier of one provider (OpenID Connect
// Discovery 1.0 section 3): an https address without query or fragment, or
// http on a loopback host. An issuer that speaks for many tenants is refused:
// anyone who opens a tenant of their own would be believed.
func ValidateIssuer(issuer string) error {
	if issuer == "" {
		return errors.New("is empty")
	}
	if strings.ContainsFunc(issuer, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' || unicode.IsSpace(r) }) {
		return fmt.Errorf("%q holds a character that no address has", issuer)
	}
	if strings.ContainsAny(issuer, "{}") {
		return fmt.Errorf("%q speaks for many tenants or is a placeholder that was not replaced: write the issuer of your own tenant", issuer)
	}
	u, err := url.Parse(issuer)
	if err != nil || u.Opaque != "" || u.Hostname() == "" {
		return fmt.Errorf("%q is not an address such as https://idp.example.com", issuer)
	}
	switch {
	case strings.ContainsAny(issuer, "?#"):
		return fmt.Errorf("%q: an issuer has neither a query nor a fragment", issuer)
	case u.User != nil:
		return fmt.Errorf("%q: an issuer has no user name or password", u.Redacted())
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return fmt.Errorf("%q: use https; http is for loopback hosts only", issuer)
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%q: use https", issuer)
	case !validPort(u):
		return fmt.Errorf("%q: there is no such port", issuer)
	case strings.Contains(u.Path, "/.well-known/"):
		return fmt.Errorf("%q is the address of the discovery document: leave out /.well-known and what follows", issuer)
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return fmt.Errorf("%q: write the path without dots", issuer)
		}
	}
	if slices.Contains(multiTenantHosts, strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")) {
		first, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		switch strings.ToLower(first) {
		case "", "common", "organizations", "consumers":
			return fmt.Errorf("%q speaks for many tenants: write your tenant's id there, as in https://login.microsoftonline.com/<tenant id>/v2.0", issuer)
		}
	}
	return nil
}

// validateEndpoint returns an error unless an endpoint of a provider may be
// called: https, or http where issuer and endpoint are on loopback hosts.
func validateEndpoint(issuer, name, endpoint string) error {
	if endpoint == "" {
		return fmt.Errorf("%s is missing", name)
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Opaque != "" || u.Hostname() == "" {
		return fmt.Errorf("%s is not an address", name)
	}
	switch {
	case u.User != nil:
		return fmt.Errorf("%s has a user name or password in it", name)
	case strings.Contains(endpoint, "#"):
		return fmt.Errorf("%s %q has a fragment", name, endpoint)
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		if i, err := url.Parse(issuer); err == nil && isLoopback(i.Hostname()) {
			return nil
		}
	}
	return fmt.Errorf("%s %q is not https", name, endpoint)
}

// isLoopback reports whether a host, without its port, is this machine.
func isLoopback(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func validPort(u *url.URL) bool {
	port := u.Port()
	if port == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.Atoi(port)
	return err == nil && n > 0 && n <= 65535
}

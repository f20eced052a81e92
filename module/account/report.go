package account

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	// reportPage is how many accounts are read at once: nobody waits long for
	// the store while a report is made, and a report of any length takes the
	// memory of one page.
	reportPage = 500
	// reportPageLimit is how long reading a page may take.
	reportPageLimit = 10 * time.Second
)

// Why a second factor was set up.
const (
	ByChoice      = "choice"
	ByRequirement = "requirement"
)

// FactorStatus is what the report on second factors says of one account.
type FactorStatus struct {
	ID    string        `json:"id"`
	Name  string        `json:"name"`
	Email string        `json:"email"`
	Role  identity.Role `json:"role"`

	// Methods are the ways in which the person obtains passcodes, the
	// preferred one first. Empty: there is no second factor.
	Methods []store.Method `json:"methods"`

	// SetUpBy is ByRequirement if an audience required every method there is,
	// ByChoice if the person set up one without, and empty without any.
	SetUpBy string `json:"set_up_by,omitempty"`

	Since      time.Time `json:"since,omitzero"`     // the first of the methods
	LastUsed   time.Time `json:"last_used,omitzero"` // whichever it was
	LastSignIn time.Time `json:"last_sign_in,omitzero"`

	// HasPassword: without one the person signs in through providers only,
	// which have second factors of their own.
	HasPassword       bool `json:"has_password"`
	RecoveryCodesLeft int  `json:"recovery_codes_left"`
	Suspended         bool `json:"suspended"`
}

// ReportRoles returns the roles that a report on second factors is about, each
// once and the lowest first. Default: agent and admin.
func ReportRoles(names ...string) ([]identity.Role, error) {
	if len(names) == 0 {
		return []identity.Role{identity.Agent, identity.Admin}, nil
	}
	var roles []identity.Role
	for _, name := range names {
		role, err := identity.ParseRole(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	slices.SortFunc(roles, func(a, b identity.Role) int {
		switch {
		case a == b:
			return 0
		case a.AtLeast(b):
			return 1
		}
		return -1
	})
	return roles, nil
}

// RoleNames are the names of roles in one line, with ", " between them.
func RoleNames(roles []identity.Role) string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = string(role)
	}
	return strings.Join(names, ", ")
}

// ReportTitle says what the report on second factors is about, for the audit
// trail.
func ReportTitle(roles []identity.Role) string { return "second factors of " + RoleNames(roles) }

// ActiveAdministrators returns all administrators who are not suspended.
func (p *People) ActiveAdministrators(ctx context.Context) ([]store.Account, error) {
	var active []store.Account
	for after := ""; ; {
		page, err := p.reportPage(ctx, []identity.Role{identity.Admin}, after)
		if err != nil {
			return nil, fmt.Errorf("listing administrators: %w", err)
		}
		for _, a := range page {
			after = a.Attributes.Email
			if !a.Suspended {
				active = append(active, a.Account)
			}
		}
		if len(page) < reportPage {
			return active, nil
		}
	}
}

// ReportSecondFactors hands every account with one of the roles to each, by
// e-mail address and a page at a time; an error of each ends it. The last page
// may be empty, and each is called at least once. No transaction is open
// meanwhile, so each may take its time; who gets another address while the
// report is made may be in it twice or not at all. ctx is asked between pages.
func (p *People) ReportSecondFactors(ctx context.Context, roles []identity.Role, each func([]FactorStatus) error) error {
	page := make([]FactorStatus, 0, reportPage)
	for after := ""; ; {
		accounts, err := p.reportPage(ctx, roles, after)
		if err != nil {
			return fmt.Errorf("reporting on second factors: %w", err)
		}
		page = page[:0]
		for _, a := range accounts {
			page = append(page, factorStatus(a))
			after = a.Attributes.Email
		}
		if err := each(page); err != nil || len(accounts) < reportPage {
			return err
		}
	}
}

func (p *People) reportPage(ctx context.Context, roles []identity.Role, after string) (accounts []store.AccountFactors, err error) {
	ctx, cancel := context.WithTimeout(ctx, reportPageLimit)
	defer cancel()
	err = p.store.View(ctx, func(tx store.Tx) error {
		accounts, err = tx.AccountFactors(roles, after, reportPage)
		return err
	})
	return accounts, err
}

func factorStatus(a store.AccountFactors) FactorStatus {
	s := FactorStatus{
		ID: a.ID, Name: a.Attributes.Name, Email: a.Attributes.Email, Role: a.Attributes.Role,
		Methods:    make([]store.Method, 0, len(a.Factors)),
		LastSignIn: a.LastSignIn, HasPassword: a.HasPassword, RecoveryCodesLeft: a.RecoveryCodes, Suspended: a.Suspended,
	}
	for _, f := range a.Factors { // the oldest first
		if f.Preferred {
			s.Methods = slices.Insert(s.Methods, 0, f.Method)
		} else {
			s.Methods = append(s.Methods, f.Method)
		}
		if s.SetUpBy == "" || !f.Required {
			s.SetUpBy = ByRequirement
			if !f.Required {
				s.SetUpBy = ByChoice
			}
		}
		if s.Since.IsZero() {
			s.Since = f.CreatedAt
		}
		if f.UsedAt.After(s.LastUsed) {
			s.LastUsed = f.UsedAt
		}
	}
	return s
}

package policy

import (
	"maps"
	"slices"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

// Demand is what is asked for beside a password. SSO sign-ins are never asked.
type Demand struct {
	// Required: of everyone, rather than of those who set up a second
	// factor by choice.
	Required bool

	// Offered are the methods that can be set up, by name, the one to begin
	// with first. None: nobody is offered any.
	Offered []string

	// TrustDevice is how long a browser in which a passcode was given is not
	// asked for one again; zero: it is asked each time.
	TrustDevice time.Duration

	counts Methods // where one is required
}

// Demand is what this audience asks for. What it holds must not be changed.
func (d *Door) Demand() Demand { return d.demand }

func newDemand(a Audience) Demand {
	demand := Demand{
		Required:    a.SecondFactor == SecondFactorRequired,
		TrustDevice: time.Duration(a.TrustDevice),
	}
	for _, name := range a.Passcode {
		demand.counts |= Method(name)
	}
	if a.SecondFactor != Off {
		demand.Offered = a.Passcode
	}
	return demand
}

// StrictestDemand is what is asked of people of that role where no single
// audience decides: the strictest of what theirs ask for. Where several require
// a second factor, one that counts in any of them will do, since else nothing
// might.
func StrictestDemand(doors map[string]*Door, role identity.Role) Demand {
	var asked []Demand
	required := false
	for _, name := range slices.Sorted(maps.Keys(doors)) {
		if d := doors[name]; d.Admits(role) && d.Password() {
			asked = append(asked, d.Demand())
			required = required || d.Demand().Required
		}
	}
	strictest := Demand{Required: required}
	first := true
	for _, demand := range asked {
		if demand.Required != required {
			continue
		}
		strictest.counts |= demand.counts
		for _, name := range demand.Offered {
			if !slices.Contains(strictest.Offered, name) {
				strictest.Offered = append(strictest.Offered, name)
			}
		}
		if first || demand.TrustDevice < strictest.TrustDevice {
			strictest.TrustDevice = demand.TrustDevice
		}
		first = false
	}
	return strictest
}

// Of decides what a session made with a password lacks: nothing, a passcode,
// or a second factor to obtain one from.
func (q Demand) Of(m Made) Verdict {
	if !q.Required && (!m.ChoseFactor || m.Factors == 0) {
		return Opens
	}
	given := m.SecondFactor != 0 && (!m.Trusted || q.TrustDevice > 0)
	switch {
	case m.Factors == 0:
		return NeedsEnrollment
	case !given:
		return NeedsPasscode
	case !q.Required:
		return Opens
	case !m.Factors.Has(q.counts):
		// They have shown what they have, and can set up one that counts.
		return NeedsEnrollment
	case m.SecondFactor.Has(q.counts | Recovery):
		return Opens
	}
	return NeedsPasscode
}

// Missing reports whether somebody with those second factors has to set one up.
func (q Demand) Missing(factors Methods) bool { return q.Required && !factors.Has(q.counts) }

// Asks are the methods of somebody's second factors from which a passcode is
// taken: those that count here, or any if none of them does.
func (q Demand) Asks(factors Methods) Methods {
	if q.Required && factors.Has(q.counts) {
		return factors & q.counts
	}
	return factors
}

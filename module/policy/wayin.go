package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// WayIn is how somebody without a session gets in: straight to a provider, or
// by a page with a password form, buttons or both, or not at all.
type WayIn struct {
	// Straight is the SSO config to go to without a page, or "".
	Straight string

	// Password says whether the password form is offered.
	Password bool

	// Buttons are the SSO configs offered on the page, in the order in which
	// they are assigned. The slice must not be changed.
	Buttons []Button

	// Refused says that there is no way in from this address.
	Refused bool

	// Reason names the rule that decided. Explain also names the range.
	Reason string
}

// Button is an SSO config offered on the sign-in page.
type Button struct {
	// SSO is the name of the SSO config.
	SSO string

	// Label is what the button says.
	Label string
}

// WayIn decides for a client's address; the zero Addr stands for an unknown
// one, which is in no range.
func (d *Door) WayIn(client netip.Addr) WayIn { return d.decide(client).way }

// Ranged reports whether the way in depends on the client's address at all.
func (d *Door) Ranged() bool { return d.ranged.Len() > 0 }

// OffersPassword reports whether the password form is offered to that address.
func (d *Door) OffersPassword(client netip.Addr) bool { return d.decide(client).way.Password }

// TakesPassword reports whether the password form is offered to any address at
// all. An audience with password sign-in on offers it nowhere if it sends
// everybody straight to a provider.
func (d *Door) TakesPassword() bool { return d.takesPassword }

// Offers reports whether people at that address may sign in through the SSO
// config: it is a candidate, shown or not, since people also come from the
// provider's own page of tiles.
func (d *Door) Offers(sso string, client netip.Addr) bool {
	i, ok := d.index[sso]
	return ok && d.decide(client).candidates[i]
}

// Explain says in a sentence which way in an address gets, and which rule and
// which range decided.
func (d *Door) Explain(client netip.Addr) string {
	found := d.decide(client)
	if found.winner == nobody {
		return found.way.Reason
	}
	client = client.Unmap().WithZone("")
	var longest netip.Prefix
	for _, prefix := range d.assigned[found.winner].Ranges {
		if prefix = unmapped(prefix); prefix.Contains(client) && (!longest.IsValid() || prefix.Bits() > longest.Bits()) {
			longest = prefix
		}
	}
	if !longest.IsValid() {
		return found.way.Reason // it serves every address
	}
	return fmt.Sprintf("%s (%s is in %s)", found.way.Reason, client, longest)
}

// nobody is the winner where no SSO config is gone straight to.
const nobody = -1

// decision is what holds for every address with the same candidates, of which
// the same one wins.
type decision struct {
	way        WayIn
	candidates []bool // by position in Door.assigned
	winner     int    // position in Door.assigned, or nobody
}

// decide finds what holds for an address: one lookup, however many ranges.
func (d *Door) decide(client netip.Addr) *decision {
	if found, ok := d.ranged.Lookup(client); ok {
		return found
	}
	return d.unranged
}

// lay works out the decision for every range beforehand. Ranges are nested or
// disjoint, so an address whose longest range is P has as candidates exactly
// the SSO configs that have P or a range around P, beside those without ranges.
func (d *Door) lay() error {
	base := decision{candidates: make([]bool, len(d.assigned)), winner: nobody}
	type owned struct {
		prefix netip.Prefix
		by     int
	}
	var ranges []owned
	for i, provider := range d.assigned {
		for _, prefix := range provider.Ranges {
			if !prefix.IsValid() {
				return fmt.Errorf("%s: ip_ranges: a range is not valid", provider.Name)
			}
			ranges = append(ranges, owned{unmapped(prefix.Masked()), i})
		}
		if len(provider.Ranges) > 0 {
			continue
		}
		base.candidates[i] = true
		if d.winsOutright(provider) {
			if base.winner != nobody {
				return fmt.Errorf("%s and %s have neither a button nor ip_ranges, so nothing decides between them: give one of them a button", d.assigned[base.winner].Name, provider.Name)
			}
			base.winner = i
		}
	}

	made := make(map[string]*decision)
	d.unranged = d.decided(base, made)

	// In this order a range comes after those around it. around holds those
	// around the current one, the shortest first.
	slices.SortStableFunc(ranges, func(a, b owned) int { return a.prefix.Compare(b.prefix) })
	type enclosing struct {
		prefix netip.Prefix
		holds  decision
	}
	var around []enclosing
	for len(ranges) > 0 {
		prefix := ranges[0].prefix
		for len(around) > 0 && !around[len(around)-1].prefix.Contains(prefix.Addr()) {
			around = around[:len(around)-1]
		}
		holds := base
		if len(around) > 0 {
			holds = around[len(around)-1].holds
		}
		holds.candidates = slices.Clone(holds.candidates)
		winner := nobody
		for len(ranges) > 0 && ranges[0].prefix == prefix {
			by := ranges[0].by
			ranges = ranges[1:]
			holds.candidates[by] = true
			if !d.winsOutright(d.assigned[by]) || by == winner {
				continue
			}
			if winner != nobody {
				return fmt.Errorf("%s and %s have no button and both have the range %s, so nothing decides between them: give one of them a button", d.assigned[winner].Name, d.assigned[by].Name, prefix)
			}
			winner = by
		}
		if winner != nobody {
			holds.winner = winner
		}
		d.ranged.Insert(prefix, d.decided(holds, made))
		around = append(around, enclosing{prefix, holds})
	}
	return nil
}

// winsOutright reports whether provider, where it is a candidate, is gone to
// straight: under choose for want of a button, under redirect by its name.
func (d *Door) winsOutright(provider Provider) bool {
	if d.audience.SignIn == SignInRedirect {
		return provider.Name == d.audience.RedirectTo
	}
	return provider.Button == ""
}

// decided completes a decision, or returns the equal one made before.
func (d *Door) decided(holds decision, made map[string]*decision) *decision {
	var room [64]byte
	key := strconv.AppendInt(room[:0], int64(holds.winner), 10)
	for _, candidate := range holds.candidates {
		key = strconv.AppendBool(key, candidate)
	}
	if earlier := made[string(key)]; earlier != nil {
		return earlier
	}
	first := &decision{way: d.wayIn(holds), candidates: holds.candidates, winner: holds.winner}
	d.takesPassword = d.takesPassword || first.way.Password
	made[string(key)] = first
	return first
}

// wayIn is "Which way in" of the configuration contract, word by word.
func (d *Door) wayIn(holds decision) WayIn {
	redirect := d.audience.SignIn == SignInRedirect
	switch {
	case holds.winner != nobody && redirect:
		return WayIn{Straight: d.audience.RedirectTo, Reason: "redirect: the address may use " + d.audience.RedirectTo}
	case holds.winner != nobody:
		winner := d.assigned[holds.winner]
		reason := "choose: " + winner.Name + " has no button and the longest matching range"
		if len(winner.Ranges) == 0 {
			reason = "choose: " + winner.Name + " has no button and serves every address"
		}
		return WayIn{Straight: winner.Name, Reason: reason}
	case redirect && !d.Password():
		return WayIn{Refused: true, Reason: "redirect: the address is outside the ip_ranges of " + d.audience.RedirectTo + ", and password is off"}
	case redirect:
		return WayIn{Password: true, Reason: "redirect: the address is outside the ip_ranges of " + d.audience.RedirectTo + ", so the password form"}
	}

	way := WayIn{Password: d.Password()}
	var shown []string
	if way.Password {
		shown = append(shown, "the password form")
	}
	for i, provider := range d.assigned {
		if holds.candidates[i] {
			way.Buttons = append(way.Buttons, Button{SSO: provider.Name, Label: provider.Button})
			shown = append(shown, "a button for "+provider.Name)
		}
	}
	if len(shown) == 0 {
		return WayIn{Refused: true, Reason: "choose: the address is outside the ip_ranges of every SSO config, and password is off"}
	}
	way.Reason = "choose: a page with " + strings.Join(shown, " and ")
	return way
}

package policy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

// ranged makes a provider for tests.
func ranged(name, button string, ranges ...string) Provider {
	p := Provider{Name: name, Button: button}
	for _, text := range ranges {
		p.Ranges = append(p.Ranges, netip.MustParsePrefix(text))
	}
	return p
}

// door makes a door for tests; the names of the providers are filled in.
func door(t testing.TB, a Audience, assigned ...Provider) *Door {
	t.Helper()
	for _, p := range assigned {
		a.SSO = append(a.SSO, p.Name)
	}
	d, err := NewDoor("team", a, assigned)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWayIn(t *testing.T) {
	const office, home = "10.1.2.3", "203.0.113.9"
	choose, redirect := Audience{}, Audience{SignIn: SignInRedirect, RedirectTo: "okta"}
	noPassword := func(a Audience) Audience { a.Password = Off; return a }

	for _, tc := range []struct {
		name     string
		audience Audience
		assigned []Provider
		client   string // "" stands for an unknown address
		want     WayIn  // without the reason
		reason   string
	}{
		{"password only", choose, nil, home, WayIn{Password: true}, "choose"},
		{"redirect inside", redirect, []Provider{ranged("okta", "", "10.0.0.0/8")}, office, WayIn{Straight: "okta"}, "10.0.0.0/8"},
		{"redirect outside", redirect, []Provider{ranged("okta", "", "10.0.0.0/8")}, home, WayIn{Password: true}, "outside the ip_ranges of okta"},
		{"redirect outside without password", noPassword(redirect), []Provider{ranged("okta", "", "10.0.0.0/8")}, home, WayIn{Refused: true}, "password is off"},
		{"redirect from an unknown address", noPassword(redirect), []Provider{ranged("okta", "", "0.0.0.0/0", "::/0")}, "", WayIn{Refused: true}, "outside"},
		{"redirect for everyone", redirect, []Provider{ranged("okta", "")}, home, WayIn{Straight: "okta"}, "redirect"},
		{"redirect for everyone from an unknown address", redirect, []Provider{ranged("okta", "")}, "", WayIn{Straight: "okta"}, "redirect"},
		{"redirect with a button still goes straight", redirect, []Provider{ranged("okta", "Okta")}, home, WayIn{Straight: "okta"}, "redirect"},
		{"redirect outside shows no other button", redirect, []Provider{ranged("okta", "", "10.0.0.0/8"), ranged("entra", "Entra")}, home, WayIn{Password: true}, "outside"},
		{"redirect ignores a longer range of another", redirect, []Provider{ranged("okta", "", "10.0.0.0/8"), ranged("entra", "", "10.1.0.0/16")}, office, WayIn{Straight: "okta"}, "10.0.0.0/8"},

		{"choose with a button", choose, []Provider{ranged("okta", "Okta")}, home, WayIn{Password: true, Buttons: []Button{{"okta", "Okta"}}}, "a button for okta"},
		{"choose with a button, password off", noPassword(choose), []Provider{ranged("okta", "Okta")}, home, WayIn{Buttons: []Button{{"okta", "Okta"}}}, "a button for okta"},
		{"choose with a button outside", choose, []Provider{ranged("okta", "Okta", "10.0.0.0/8")}, home, WayIn{Password: true}, "the password form"},
		{"choose with nothing left", noPassword(choose), []Provider{ranged("okta", "Okta", "10.0.0.0/8")}, home, WayIn{Refused: true}, "password is off"},
		{"choose without a button", choose, []Provider{ranged("okta", "")}, home, WayIn{Straight: "okta"}, "serves every address"},
		{"a candidate without a button wins over buttons", choose, []Provider{ranged("entra", "Entra"), ranged("okta", "", "10.0.0.0/8")}, office, WayIn{Straight: "okta"}, "10.0.0.0/8"},
		{"and elsewhere the page", choose, []Provider{ranged("entra", "Entra"), ranged("okta", "", "10.0.0.0/8")}, home, WayIn{Password: true, Buttons: []Button{{"entra", "Entra"}}}, "choose"},
		{"the longest range wins", choose, []Provider{ranged("all", ""), ranged("okta", "", "10.0.0.0/8"), ranged("lab", "", "10.1.0.0/16")}, office, WayIn{Straight: "lab"}, "10.1.0.0/16"},
		{"the longest range of one with a button decides nothing", choose, []Provider{ranged("okta", "", "10.0.0.0/8"), ranged("lab", "Lab", "10.1.0.0/16")}, office, WayIn{Straight: "okta"}, "10.0.0.0/8"},
		{"any range beats none", choose, []Provider{ranged("all", ""), ranged("okta", "", "0.0.0.0/0")}, home, WayIn{Straight: "okta"}, "0.0.0.0/0"},
		{"unknown address: one without ranges", choose, []Provider{ranged("all", ""), ranged("okta", "", "0.0.0.0/0", "::/0")}, "", WayIn{Straight: "all"}, "every address"},
		{"IPv4-mapped", choose, []Provider{ranged("okta", "", "10.0.0.0/8")}, "::ffff:10.1.2.3", WayIn{Straight: "okta"}, "10.1.2.3 is in 10.0.0.0/8"},
		{"IPv6", choose, []Provider{ranged("okta", "", "2001:db8::/32")}, "2001:db8::1", WayIn{Straight: "okta"}, "2001:db8::/32"},
		{"IPv6 with a zone", choose, []Provider{ranged("okta", "", "fe80::/10")}, "fe80::1%eth0", WayIn{Straight: "okta"}, "fe80::/10"},
		{"all of IPv6 is none of IPv4", choose, []Provider{ranged("okta", "", "::/0")}, home, WayIn{Password: true}, "choose"},
		{"buttons keep the order in which they are assigned", choose, []Provider{ranged("b", "B"), ranged("a", "A"), ranged("c", "C", "10.0.0.0/8")}, office, WayIn{Password: true, Buttons: []Button{{"b", "B"}, {"a", "A"}, {"c", "C"}}}, "choose"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := door(t, tc.audience, tc.assigned...)
			var client netip.Addr
			if tc.client != "" {
				client = netip.MustParseAddr(tc.client)
			}
			got := d.WayIn(client)
			if got.Reason == "" {
				t.Error("no reason")
			}
			if explained := d.Explain(client); !strings.Contains(explained, tc.reason) {
				t.Errorf("explained as %q, want it to say %q", explained, tc.reason)
			}
			got.Reason = ""
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if d.OffersPassword(client) != tc.want.Password {
				t.Error("the password is taken where it is not offered, or the other way round")
			}
		})
	}
}

func TestTakesPassword(t *testing.T) {
	redirect := Audience{SignIn: SignInRedirect, RedirectTo: "okta"}
	for _, tc := range []struct {
		name     string
		audience Audience
		assigned []Provider
		want     bool
	}{
		{"password only", Audience{}, nil, true},
		{"beside a button", Audience{}, []Provider{ranged("okta", "Okta")}, true},
		{"off", Audience{Password: Off}, []Provider{ranged("okta", "Okta")}, false},
		{"everybody goes straight for want of a button", Audience{}, []Provider{ranged("okta", "")}, false},
		{"everybody goes straight, wherever they are", Audience{}, []Provider{ranged("okta", ""), ranged("entra", "", "10.0.0.0/8")}, false},
		{"an office goes straight", Audience{}, []Provider{ranged("okta", "", "10.0.0.0/8")}, true},
		{"everybody is redirected", redirect, []Provider{ranged("okta", "")}, false},
		{"an office is redirected", redirect, []Provider{ranged("okta", "", "10.0.0.0/8")}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := door(t, tc.audience, tc.assigned...).TakesPassword(); got != tc.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestOffers(t *testing.T) {
	office, home := netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("203.0.113.9")
	d := door(t, Audience{}, ranged("okta", "", "10.0.0.0/8"), ranged("entra", "Entra"))
	for _, tc := range []struct {
		name   string
		sso    string
		client netip.Addr
		want   bool
	}{
		{"gone straight to", "okta", office, true},
		{"outside its ranges", "okta", home, false},
		{"unknown address", "okta", netip.Addr{}, false},
		{"shown", "entra", home, true},
		{"not shown, but started from its tiles", "entra", office, true},
		{"not assigned", "google", office, false},
		{"no name", "", office, false},
	} {
		if got := d.Offers(tc.sso, tc.client); got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestNewDoorRefuses(t *testing.T) {
	for _, tc := range []struct {
		name     string
		audience Audience
		assigned []Provider
		wrong    string
	}{
		{"two without ranges and button", Audience{SSO: []string{"a", "b"}}, []Provider{ranged("a", ""), ranged("b", "")}, "a and b have neither a button nor ip_ranges"},
		{"two with the same range and no button", Audience{SSO: []string{"a", "b"}}, []Provider{ranged("a", "", "10.0.0.0/8"), ranged("b", "", "10.1.0.0/16", "10.0.0.0/8")}, "10.0.0.0/8"},
		{"the same range in IPv4-mapped spelling", Audience{SSO: []string{"a", "b"}}, []Provider{ranged("a", "", "10.0.0.0/8"), ranged("b", "", "::ffff:10.0.0.0/104")}, "10.0.0.0/8"},
		{"redirect to one that is not assigned", Audience{SignIn: SignInRedirect, RedirectTo: "okta"}, nil, "not assigned"},
		{"redirect to nothing", Audience{SignIn: SignInRedirect}, nil, "needs the name"},
		{"nothing offered at all", Audience{Password: Off}, nil, "nobody could sign in"},
		{"unknown word", Audience{SecondFactor: "always"}, nil, "always"},
		{"other providers than assigned", Audience{SSO: []string{"a"}}, []Provider{ranged("b", "")}, "b"},
		{"fewer providers than assigned", Audience{SSO: []string{"a", "b"}}, []Provider{ranged("a", "")}, "2 SSO configs are assigned"},
		{"a range that is none", Audience{SSO: []string{"a"}}, []Provider{{Name: "a", Ranges: make([]netip.Prefix, 1)}}, "not valid"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := NewDoor("team", tc.audience, tc.assigned)
			if err == nil || !strings.Contains(err.Error(), tc.wrong) || !strings.Contains(err.Error(), "audience team") {
				t.Errorf("got error %v, want one of audience team that says %q", err, tc.wrong)
			}
		})
	}
	// Nothing has to decide between these two.
	door(t, Audience{SignIn: SignInRedirect, RedirectTo: "a"}, ranged("a", ""), ranged("b", ""))
}

// naive is "Which way in" read aloud, with a loop over everything.
type naive struct {
	audience Audience
	assigned []Provider
}

// match is the length of the longest range of p that holds client; 0 also for
// a provider without ranges.
func (naive) match(p Provider, client netip.Addr) (length int, candidate bool) {
	if len(p.Ranges) == 0 {
		return -1, true
	}
	client = client.Unmap().WithZone("")
	length = -1
	for _, prefix := range p.Ranges {
		if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		if prefix.Contains(client) {
			length, candidate = max(length, prefix.Bits()), true
		}
	}
	return length, candidate
}

func (n naive) wayIn(client netip.Addr) (way WayIn) {
	if n.audience.SignIn == SignInRedirect {
		for _, p := range n.assigned {
			if _, ok := n.match(p, client); ok && p.Name == n.audience.RedirectTo {
				return WayIn{Straight: p.Name}
			}
		}
		return WayIn{Password: n.audience.Password != Off, Refused: n.audience.Password == Off}
	}
	best := -2
	for _, p := range n.assigned {
		if length, ok := n.match(p, client); ok && p.Button == "" && length > best {
			best, way.Straight = length, p.Name
		}
	}
	if way.Straight != "" {
		return way
	}
	way.Password = n.audience.Password != Off
	for _, p := range n.assigned {
		if _, ok := n.match(p, client); ok {
			way.Buttons = append(way.Buttons, Button{p.Name, p.Button})
		}
	}
	way.Refused = !way.Password && len(way.Buttons) == 0
	return way
}

// undecided reports whether the configuration leaves open who wins somewhere.
func (n naive) undecided() bool {
	if n.audience.SignIn == SignInRedirect {
		return false
	}
	for i, p := range n.assigned {
		for _, q := range n.assigned[:i] {
			if p.Button != "" || q.Button != "" {
				continue
			}
			if len(p.Ranges) == 0 && len(q.Ranges) == 0 {
				return true
			}
			for _, a := range p.Ranges {
				for _, b := range q.Ranges {
					if unmapped(a) == unmapped(b) {
						return true
					}
				}
			}
		}
	}
	return false
}

// world makes addresses and ranges that often meet.
type world struct{ *rand.Rand }

func (w world) addr() netip.Addr {
	switch w.IntN(10) {
	case 0:
		return netip.Addr{}
	case 1:
		return netip.AddrFrom4([4]byte{byte(w.Uint32()), byte(w.Uint32()), byte(w.Uint32()), byte(w.Uint32())})
	case 2, 3, 4:
		addr := netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, byte(w.IntN(2)), byte(w.IntN(4)), 6: byte(w.IntN(2)), 15: byte(w.IntN(4))})
		if w.IntN(4) == 0 {
			addr = addr.WithZone("eth0")
		}
		return addr
	case 5:
		return netip.AddrFrom16(w.v4().As16())
	}
	return w.v4()
}

func (w world) v4() netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(w.IntN(3)), byte(w.IntN(2) * 128), byte(w.IntN(4))})
}

func (w world) prefix() netip.Prefix {
	for {
		addr := w.addr().WithZone("")
		if !addr.IsValid() {
			continue
		}
		bits := w.IntN(addr.BitLen() + 1)
		if addr.Is4In6() {
			bits = 96 + w.IntN(33)
		}
		return netip.PrefixFrom(addr, bits).Masked()
	}
}

func (w world) audience() naive {
	var n naive
	for i := range w.IntN(6) {
		p := Provider{Name: fmt.Sprintf("sso%d", i)}
		if w.IntN(2) == 0 {
			p.Button = "Button " + p.Name
		}
		for range w.IntN(8) {
			p.Ranges = append(p.Ranges, w.prefix())
		}
		n.assigned = append(n.assigned, p)
		n.audience.SSO = append(n.audience.SSO, p.Name)
	}
	if len(n.assigned) > 0 && w.IntN(3) == 0 {
		n.audience.SignIn = SignInRedirect
		n.audience.RedirectTo = n.assigned[w.IntN(len(n.assigned))].Name
	}
	if len(n.assigned) > 0 && w.IntN(3) == 0 {
		n.audience.Password = Off
	}
	return n
}

// TestWayInIsTheNaiveReading holds the tables against a loop over all rules,
// for thousands of audiences and addresses.
func TestWayInIsTheNaiveReading(t *testing.T) {
	w := world{rand.New(rand.NewPCG(1, 2))}
	refused, straight := 0, 0
	for range 2000 {
		n := w.audience()
		d, err := NewDoor("team", n.audience, n.assigned)
		if (err != nil) != n.undecided() {
			t.Fatalf("%+v: got error %v, want one: %v", n, err, n.undecided())
		}
		if err != nil {
			refused++
			continue
		}
		for range 40 {
			client := w.addr()
			got, want := d.WayIn(client), n.wayIn(client)
			got.Reason = ""
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%+v\nfrom %v: got %+v, want %+v", n, client, got, want)
			}
			if want.Straight != "" {
				straight++
			}
			for _, p := range n.assigned {
				if _, candidate := n.match(p, client); d.Offers(p.Name, client) != candidate {
					t.Fatalf("%+v\nfrom %v: offers %s: want %v", n, client, p.Name, candidate)
				}
			}
		}
	}
	if refused < 50 || straight < 10000 {
		t.Errorf("the audiences are too tame: %d refused, %d straight", refused, straight)
	}
}

func TestDoorsShareDecisions(t *testing.T) {
	// One decision for each range would be a hundred thousand pages of buttons.
	d := door(t, Audience{}, manyRanges(100_000, "okta", "Okta"), ranged("entra", "Entra"))
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.1.1")
	if d.decide(a) != d.decide(b) || d.decide(a) == d.unranged {
		t.Error("equal decisions are kept twice, or ranges were not found")
	}
}

// manyRanges makes a provider with count ranges: /24 under 10.0.0.0 and up, and
// as many of IPv6.
func manyRanges(count int, name, button string) Provider {
	p := Provider{Name: name, Button: button}
	for i := range count {
		if i%2 == 0 {
			p.Ranges = append(p.Ranges, netip.PrefixFrom(netip.AddrFrom4([4]byte{10 + byte(i>>17), byte(i >> 9), byte(i >> 1), 0}), 24))
		} else {
			p.Ranges = append(p.Ranges, netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, byte(i >> 17), byte(i >> 9), byte(i >> 1)}), 56))
		}
	}
	return p
}

func BenchmarkWayIn(b *testing.B) {
	for _, count := range []int{10, 1000, 100_000} {
		d := door(b, Audience{}, manyRanges(count, "okta", ""), ranged("entra", "Entra"))
		for _, client := range []string{"10.0.1.7", "203.0.113.9", "2001:db8::1", "2001:db9::1"} {
			b.Run(fmt.Sprintf("%d/%s", count, client), func(b *testing.B) {
				addr := netip.MustParseAddr(client)
				b.ReportAllocs()
				for b.Loop() {
					d.WayIn(addr)
				}
			})
		}
	}
}

func BenchmarkNewDoor(b *testing.B) {
	p := manyRanges(100_000, "okta", "")
	for b.Loop() {
		door(b, Audience{}, p)
	}
}

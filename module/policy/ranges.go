package policy

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/gaissmai/bart"
)

// Ranges finds the value of the longest range that holds an address. The zero
// value holds no ranges. Lookups may happen at once, also with each other; an
// Insert must not happen at the same time as anything else.
type Ranges[V any] struct {
	table bart.Fast[V]
}

// ParseRange reads a CIDR ("10.0.0.0/8", "2001:db8::/32") or a single address.
// IPv4-mapped IPv6 is the IPv4 that it stands for. A CIDR with bits set behind
// its length is refused: it is a slip of the pen, and which network was meant
// is anyone's guess.
func ParseRange(text string) (netip.Prefix, error) {
	if strings.ContainsRune(text, '%') {
		return netip.Prefix{}, fmt.Errorf("%q has a zone, which means something on one machine only: leave out the part from %%", text)
	}
	if !strings.ContainsRune(text, '/') {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("%q is not an IP address or a CIDR such as 10.0.0.0/8 or 2001:db8::/32", text)
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not an IP address or a CIDR such as 10.0.0.0/8 or 2001:db8::/32", text)
	}
	if masked := prefix.Masked(); masked != prefix {
		return netip.Prefix{}, fmt.Errorf("%s has bits set behind its length: write %s for that network, or %s for that address", text, unmapped(masked), prefix.Addr().Unmap())
	}
	return unmapped(prefix), nil
}

// Insert puts value on a range. It replaces the value that was on it.
func (r *Ranges[V]) Insert(prefix netip.Prefix, value V) {
	r.table.Insert(unmapped(prefix), value)
}

// Lookup returns the value of the longest range that holds addr. An invalid
// address is in no range.
func (r *Ranges[V]) Lookup(addr netip.Addr) (V, bool) {
	return r.table.Lookup(addr.Unmap())
}

// Len is how many ranges there are.
func (r *Ranges[V]) Len() int { return r.table.Size() }

// unmapped is the IPv4 range that a range of IPv4-mapped IPv6 stands for.
// Other ranges stay as they are.
func unmapped(prefix netip.Prefix) netip.Prefix {
	if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
		return netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix
}

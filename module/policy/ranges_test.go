package policy

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseRange(t *testing.T) {
	for _, tc := range []struct{ text, want, wrong string }{
		{text: "10.0.0.0/8", want: "10.0.0.0/8"},
		{text: "10.1.2.3", want: "10.1.2.3/32"},
		{text: "0.0.0.0/0", want: "0.0.0.0/0"},
		{text: "::/0", want: "::/0"},
		{text: "2001:db8::/32", want: "2001:db8::/32"},
		{text: "2001:DB8:0:0::/32", want: "2001:db8::/32"},
		{text: "2001:db8::1", want: "2001:db8::1/128"},
		{text: "::ffff:10.1.2.3", want: "10.1.2.3/32"},
		{text: "::ffff:10.0.0.0/104", want: "10.0.0.0/8"},
		{text: "::ffff:0:0/96", want: "0.0.0.0/0"},

		{text: "10.0.0.1/8", wrong: "10.0.0.0/8"},
		{text: "192.168.1.17/24", wrong: "192.168.1.0/24"},
		{text: "2001:db8::1/32", wrong: "2001:db8::/32"},
		{text: "::ffff:10.0.0.1/104", wrong: "10.0.0.0/8"},
		{text: "fe80::1%eth0", wrong: "zone"},
		{text: "fe80::%eth0/64", wrong: "zone"},
		{text: "", wrong: "not an IP address"},
		{text: "10.0.0.0/33", wrong: "not an IP address"},
		{text: "10.0.0.0/08", wrong: "not an IP address"},
		{text: "10.0.0.0/255.0.0.0", wrong: "not an IP address"},
		{text: "10.0.0", wrong: "not an IP address"},
		{text: "010.0.0.1", wrong: "not an IP address"},
		{text: "10.0.0.1-10.0.0.9", wrong: "not an IP address"},
		{text: " 10.0.0.1", wrong: "not an IP address"},
		{text: "office", wrong: "not an IP address"},
		{text: "[::1]", wrong: "not an IP address"},
		{text: "10.0.0.0/8/8", wrong: "not an IP address"},
	} {
		t.Run(tc.text, func(t *testing.T) {
			got, err := ParseRange(tc.text)
			switch {
			case tc.wrong != "" && (err == nil || !strings.Contains(err.Error(), tc.wrong)):
				t.Errorf("got %v and error %v, want an error that says %q", got, err, tc.wrong)
			case tc.wrong == "" && (err != nil || got.String() != tc.want):
				t.Errorf("got %v and error %v, want %s", got, err, tc.want)
			}
		})
	}
}

func TestRangesFindTheLongest(t *testing.T) {
	var r Ranges[string]
	for _, text := range []string{"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "2001:db8::/32"} {
		r.Insert(netip.MustParsePrefix(text), text)
	}
	r.Insert(netip.MustParsePrefix("::ffff:192.168.0.0/112"), "mapped")
	for _, tc := range []struct{ addr, want string }{
		{"10.1.2.3", "10.1.2.3/32"},
		{"10.1.2.4", "10.1.0.0/16"},
		{"10.2.0.0", "10.0.0.0/8"},
		{"11.0.0.0", "0.0.0.0/0"},
		{"::ffff:10.2.0.0", "10.0.0.0/8"},
		{"192.168.9.9", "mapped"},
		{"2001:db8::5", "2001:db8::/32"},
		{"2001:db8::5%eth0", "2001:db8::/32"},
		{"2001:db9::", ""},
	} {
		if got, _ := r.Lookup(netip.MustParseAddr(tc.addr)); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.addr, got, tc.want)
		}
	}
	if _, ok := r.Lookup(netip.Addr{}); ok {
		t.Error("an unknown address is in a range")
	}
}

package account

import (
	"net/http"
	"net/netip"
	"strconv"
	"testing"
)

func parse(t *testing.T, text string) netip.Addr {
	t.Helper()
	a, err := netip.ParseAddr(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func itoa(n int) string { return strconv.Itoa(n) }

func TestAddresses(t *testing.T) {
	f := func(a Addresses, want, peer string, forwarded ...string) {
		t.Helper()
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": forwarded}}
		if got := a.Of(r); got.String() != want {
			t.Errorf("%s %q: got %s, want %s", peer, forwarded, got, want)
		}
		text := want
		if want == "invalid IP" {
			text = ""
		}
		if got := a.Text(r); got != text {
			t.Errorf("%s %q: got %q, want %q", peer, forwarded, got, text)
		}
	}
	direct := Addresses{}
	f(direct, "192.0.2.1", "192.0.2.1:80", "203.0.113.9")
	f(direct, "2001:db8::1", "[2001:db8::1]:80")
	f(direct, "192.0.2.1", "[::ffff:192.0.2.1]:80")
	f(direct, "invalid IP", "nonsense")

	private := Addresses{Forwarded: true}
	f(private, "203.0.113.9", "10.0.0.1:80", "203.0.113.9")
	f(private, "203.0.113.9", "127.0.0.1:80", "1.1.1.1, 203.0.113.9, 10.0.0.2") // what stands before the last that no proxy of ours is, anybody can write
	f(private, "192.0.2.1", "192.0.2.1:80", "203.0.113.9")                      // who is no proxy vouches for nobody
	f(private, "10.0.0.1", "10.0.0.1:80")
	f(private, "10.0.0.1", "10.0.0.1:80", "garbage")
	f(private, "203.0.113.9", "10.0.0.1:80", "203.0.113.9:4711")
	f(private, "2001:db8::9", "10.0.0.1:80", "[2001:db8::9]:4711")
	f(private, "203.0.113.9", "10.0.0.1:80", "1.1.1.1", "203.0.113.9")

	edge := Addresses{Forwarded: true, Proxies: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}
	f(edge, "203.0.113.9", "198.51.100.7:80", "203.0.113.9")
	f(edge, "10.0.0.1", "10.0.0.1:80", "203.0.113.9")
}

func TestParseNetwork(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		p, err := ParseNetwork(text)
		if got := p.String(); err == nil && got != want || err != nil && want != "" {
			t.Errorf("%s: got %s %v, want %s", text, got, err, want)
		}
	}
	f("10.0.0.1", "10.0.0.1/32")
	f("10.1.2.3/8", "10.0.0.0/8")
	f("2001:db8::1", "2001:db8::1/128")
	f("::ffff:10.0.0.0/104", "10.0.0.0/8")
	f("10.0.0", "")
	f("10.0.0.0/99", "")
	f("", "")
}

// TestAddressesAreTextAlready: every row has one.
func TestAddressesAreTextAlready(t *testing.T) {
	for _, peer := range []string{"192.0.2.1:80", "[2001:db8::1]:80"} {
		r, a := &http.Request{RemoteAddr: peer}, Addresses{Forwarded: true}
		if n := testing.AllocsPerRun(100, func() {
			if a.Text(r) == "" {
				t.Fatal("no address")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", peer, n)
		}
	}
}

package account

import (
	"net/http"
	"net/netip"
	"strings"
)

// Addresses says where a request comes from.
type Addresses struct {
	// Forwarded believes X-Forwarded-For, if the request comes from one of Proxies; without any, from a loopback or private
	// address.
	Forwarded bool
	Proxies   []netip.Prefix
}

// Of returns the address of the client: that of the connection, or, through trusted proxies, the last one in X-Forwarded-For
// that is none of theirs. It is not valid where the connection has none.
func (a *Addresses) Of(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address := peer.Addr().Unmap()
	if !a.Forwarded || !a.isProxy(address) {
		return address
	}
	values := r.Header["X-Forwarded-For"]
	for i := len(values) - 1; i >= 0; i-- {
		list := values[i]
		for list != "" {
			at := strings.LastIndexByte(list, ',')
			hop, ok := parseHop(list[at+1:])
			if !ok {
				return address // nobody vouches for what stands before it
			}
			if address = hop; !a.isProxy(hop) {
				return hop
			}
			list = list[:max(at, 0)]
		}
	}
	return address
}

// Text returns the address of the client as text, empty where there is none. It costs no memory but where a proxy says it: the
// connection's own address is text already.
func (a *Addresses) Text(r *http.Request) string {
	address := a.Of(r)
	if !address.IsValid() {
		return ""
	}
	if at := strings.LastIndexByte(r.RemoteAddr, ':'); at >= 0 {
		host := strings.Trim(r.RemoteAddr[:at], "[]")
		if peer, err := netip.ParseAddr(host); err == nil && peer == address {
			return host
		}
	}
	return address.String()
}

// parseHop reads an address, with or without a port.
func parseHop(text string) (netip.Addr, bool) {
	text = strings.Trim(text, " \t")
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return a.Unmap(), true
	}
	a, err := netip.ParseAddrPort(text)
	return a.Addr().Unmap(), err == nil
}

func (a *Addresses) isProxy(address netip.Addr) bool {
	if len(a.Proxies) == 0 {
		return address.IsLoopback() || address.IsPrivate()
	}
	return within(a.Proxies, address)
}

func within(list []netip.Prefix, address netip.Addr) bool {
	for _, p := range list {
		if p.Contains(address) {
			return true
		}
	}
	return false
}

// ParseNetwork reads an address or a network such as 10.0.0.0/8.
func ParseNetwork(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return netip.Prefix{}, err
		}
		if a := p.Addr(); a.Is4In6() {
			return netip.PrefixFrom(a.Unmap(), max(0, p.Bits()-96)).Masked(), nil
		}
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
}

package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// FetchOptions bound what a [Fetcher] does. The zero value is safe.
type FetchOptions struct {
	// MaxBytes bounds one file; 0 means 20 MiB. Timeout bounds one fetch, redirects included; 0 means 10 s.
	MaxBytes int64
	Timeout  time.Duration
	// AllowedHosts are host names, with or without a port, to which no guard applies: the operator's own.
	AllowedHosts []string
}

// The reasons for which a file is not fetched. Their texts are for clients and name no address.
var (
	ErrURL       = errors.New("it is not an http(s) URL with a host and without user or password")
	ErrForbidden = errors.New("it leads to an address that is not public")
	ErrPort      = errors.New("its port is neither 80 nor 443")
	ErrRedirects = errors.New("it redirects too often")
	ErrTooLarge  = errors.New("the file is too large")
	ErrFetch     = errors.New("the file could not be fetched")
)

// maxRedirects is how many times a URL may send us on.
const maxRedirects = 3

// Fetcher fetches files from URLs that clients name. It is the only way out for such URLs: the addresses that a name
// resolves to are checked when the connection is made, so that neither a redirect nor a name that changes its address in
// between can lead into the gateway's own network. It is safe for concurrent use.
type Fetcher struct {
	o      FetchOptions
	client *http.Client
}

// NewFetcher returns a fetcher. It uses no proxy: behind one nobody could check where a name leads.
func NewFetcher(o FetchOptions) *Fetcher {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 20 << 20
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	f := &Fetcher{o: o}
	guarded := &net.Dialer{Timeout: o.Timeout, ControlContext: guard}
	open := &net.Dialer{Timeout: o.Timeout}
	f.client = &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if f.allowed(address) {
					return open.DialContext(ctx, network, address)
				}
				return guarded.DialContext(ctx, network, address)
			},
			TLSHandshakeTimeout: o.Timeout, ResponseHeaderTimeout: o.Timeout, MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost: 2, IdleConnTimeout: 10 * time.Second,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return ErrRedirects
			}
			return f.check(r.URL)
		},
	}
	return f
}

// Close ends idle connections.
func (f *Fetcher) Close() { f.client.CloseIdleConnections() }

// File is a fetched file.
type File struct {
	// MIME is the type that its server claims, Name the end of its URL.
	MIME, Name string
	Data       []byte
}

// Fetch fetches a file. Errors wrap one of the reasons above and say nothing of addresses.
func (f *Fetcher) Fetch(ctx context.Context, text string) (*File, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, ErrURL
	}
	if err := f.check(u); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.o.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, ErrURL
	}
	r.Header.Set("User-Agent", "outcrop")
	resp, err := f.client.Do(r)
	if err != nil {
		return nil, reason(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: its server answers with status %d", ErrFetch, resp.StatusCode)
	}
	if resp.ContentLength > f.o.MaxBytes {
		return nil, f.tooLarge()
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, f.o.MaxBytes+1))
	if err != nil {
		return nil, reason(err)
	}
	if int64(len(data)) > f.o.MaxBytes {
		return nil, f.tooLarge()
	}
	if len(data) == 0 {
		return nil, ErrEmpty
	}
	return &File{MIME: resp.Header.Get("Content-Type"), Name: resp.Request.URL.Path, Data: data}, nil
}

func (f *Fetcher) tooLarge() error {
	return fmt.Errorf("%w: more than %d MiB", ErrTooLarge, f.o.MaxBytes>>20)
}

// reason takes from an error what a client may know.
func reason(err error) error {
	for _, known := range []error{ErrForbidden, ErrRedirects, ErrURL, ErrPort} {
		if errors.Is(err, known) {
			return known
		}
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("%w in time", ErrFetch)
	}
	return ErrFetch
}

// check judges a URL by its words alone; where its host leads is judged at the connection.
func (f *Fetcher) check(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Opaque != "" {
		return ErrURL
	}
	if f.allowed(u.Host) {
		return nil
	}
	if port := u.Port(); port != "" && port != "80" && port != "443" {
		return ErrPort
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && !Public(addr) {
		return ErrForbidden
	}
	return nil
}

// allowed reports whether an operator has named the host, alone or with this port.
func (f *Fetcher) allowed(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	for _, name := range f.o.AllowedHosts {
		if strings.EqualFold(name, host) || strings.EqualFold(name, hostport) {
			return true
		}
	}
	return false
}

// guard runs between the resolution of a name and the connection, for each address that is tried.
func guard(_ context.Context, _, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return ErrForbidden
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || !Public(addr) {
		return ErrForbidden
	}
	return nil
}

// special are the address blocks beyond private, loopback, link-local and multicast ones that lead to no public server,
// or that carry an IPv4 address which could be any. Source: IANA's special-purpose address registries (RFC 6890).
var special = func() []netip.Prefix {
	var list []netip.Prefix
	for _, block := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		list = append(list, netip.MustParsePrefix(block))
	}
	return list
}()

// Public reports whether an address is that of a server on the public internet. IPv4 addresses inside IPv6 ones are
// judged as what they are.
func Public(addr netip.Addr) bool {
	if addr.Zone() != "" {
		return false
	}
	addr = addr.Unmap()
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() {
		return false
	}
	for _, block := range special {
		if block.Contains(addr) {
			return false
		}
	}
	return true
}

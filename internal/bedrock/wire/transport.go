package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// DefaultConnect is how long a connection may take when nothing else is said.
const DefaultConnect = 5 * time.Second

// TransportOptions are what the connections to AWS differ in.
type TransportOptions struct {
	// Connect bounds the TCP handshake, and once more the TLS handshake; 0 means DefaultConnect.
	Connect time.Duration
	// CAFile holds further certificate authorities, in PEM; Insecure switches verification off.
	CAFile   string
	Insecure bool
	// Proxy returns the proxy of a request; nil means HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the process's environment.
	Proxy func(*http.Request) (*url.URL, error)
}

// NewTransport returns a transport for calls to AWS, which any number of clients may share. Its error says that the
// authorities could not be read.
//
// It speaks HTTP/1.1: each stream then has a connection and its back-pressure of its own, so that one slow reader cannot
// hold up others behind a shared window, a cancelled call costs no other call anything, and a chunk costs no framing and
// no lock that a hundred streams share.
func NewTransport(o TransportOptions) (*http.Transport, error) {
	if o.Connect <= 0 {
		o.Connect = DefaultConnect
	}
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure} //nolint:gosec // only when the operator says so
	if o.CAFile != "" {
		var err error
		if config.RootCAs, err = RootCAs(o.CAFile); err != nil {
			return nil, err
		}
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: o.Connect, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: o.Proxy,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			var timeout net.Error
			if err != nil && ctx.Err() == nil && errors.As(err, &timeout) && timeout.Timeout() {
				return nil, errors.Join(&patience{"connection", o.Connect}, err)
			}
			return conn, err
		},
		TLSClientConfig:     config,
		TLSHandshakeTimeout: o.Connect,
		Protocols:           protocols,
		DisableCompression:  true, // answers are read and passed on as they come
		// As many idle connections as there may be calls at once, or each burst would pay for handshakes.
		MaxIdleConnsPerHost:    4096,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		// A thousand streams are a thousand pairs of buffers.
		ReadBufferSize:  4 << 10,
		WriteBufferSize: 4 << 10,
	}, nil
}

// RootCAs returns the system's certificate authorities with those of a file in PEM form.
func RootCAs(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificate authorities: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return pool, nil
}

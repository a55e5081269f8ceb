package main

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// tlsOptions say whether clients come by https, and with which certificate.
type tlsOptions struct {
	cert, key  string
	selfSigned bool
}

func (o *tlsOptions) flags(f *flags, lookup env) {
	from := func(name string) string { v, _ := lookup(name); return v }
	f.StringVar(&o.cert, "ssl_certfile_path", from("SSL_CERTFILE_PATH"), "serve https with the certificates in this PEM file (SSL_CERTFILE_PATH); it is read again when it changes")
	f.StringVar(&o.key, "ssl_keyfile_path", from("SSL_KEYFILE_PATH"), "the private key of --ssl_certfile_path (SSL_KEYFILE_PATH)")
	f.BoolVar(&o.selfSigned, "tls-self-signed", false, "serve https with a certificate of an authority made here, and print where it is")
}

// certificate returns the certificate to serve with, nil for plain http. dir is where one that is made here is kept, host the
// address that is listened on. authority is the file of a made one's authority.
func (o *tlsOptions) certificate(dir, host string, logger *slog.Logger) (c *certificate, authority string, err error) {
	switch {
	case o.selfSigned && o.cert+o.key != "":
		return nil, "", errors.New("--tls-self-signed makes a certificate of its own: leave --ssl_certfile_path and --ssl_keyfile_path out")
	case (o.cert == "") != (o.key == ""):
		return nil, "", errors.New("--ssl_certfile_path and --ssl_keyfile_path belong together: one of them is missing")
	case o.selfSigned:
		files, err := selfSigned(filepath.Join(cmp.Or(dir, "."), "tls"), host)
		if err != nil {
			return nil, "", fmt.Errorf("--tls-self-signed: %w", err)
		}
		c, err = newCertificate(files.cert, files.key, logger)
		return c, files.authority, err
	case o.cert == "":
		return nil, "", nil
	}
	c, err = newCertificate(o.cert, o.key, logger)
	return c, "", err
}

// certificate is a certificate with its key, read again when their files change: they are renewed while servers run.
type certificate struct {
	certFile, keyFile string
	logger            *slog.Logger

	mu      sync.Mutex // guards what follows
	current *tls.Certificate
	changed [2]time.Time // of the files, when they were read
	looked  time.Time
}

// lookEvery is how often the files are looked at, at most.
const lookEvery = 5 * time.Second

func newCertificate(certFile, keyFile string, logger *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, logger: logger}
	return c, c.read()
}

func (c *certificate) times() ([2]time.Time, error) {
	var out [2]time.Time
	for i, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return out, err
		}
		out[i] = info.ModTime()
	}
	return out, nil
}

func (c *certificate) read() error {
	changed, err := c.times()
	if err != nil {
		return fmt.Errorf("the certificate cannot be read: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("the certificate %s with the key %s cannot be used: %w", c.certFile, c.keyFile, err)
	}
	c.current, c.changed, c.looked = &pair, changed, time.Now()
	return nil
}

// get returns the certificate for a handshake. One that cannot be read again stays in use.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookEvery {
		return c.current, nil
	}
	c.looked = time.Now()
	if changed, err := c.times(); err == nil && changed == c.changed {
		return c.current, nil
	}
	if err := c.read(); err != nil {
		c.logger.Warn("the certificate has changed and cannot be used: the old one stays", "error", err)
	}
	return c.current, nil
}

// protocols has a server speak HTTP/1.1 and HTTP/2, with and without TLS: the AWS SDK for JavaScript begins with HTTP/2 on
// plain connections, too.
func protocols(server *http.Server, c *certificate) {
	server.Protocols = &http.Protocols{}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	if c != nil {
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
	}
}

// madeFiles are the files of a certificate that is made here.
type madeFiles struct{ authority, authorityKey, cert, key string }

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	certLife      = 365 * 24 * time.Hour
	// renewBefore is how long before its end a certificate is made anew.
	renewBefore = 30 * 24 * time.Hour
)

// selfSigned returns a certificate for this machine's names, signed by an authority of its own; both are kept in dir, and
// made where they are missing or near their end.
func selfSigned(dir, host string) (*madeFiles, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	f := &madeFiles{filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	authority, err := kept(f.authority, f.authorityKey, renewBefore)
	if err != nil {
		if authority, err = make509(f.authority, f.authorityKey, nil, &x509.Certificate{
			Subject: pkix.Name{CommonName: "Outcrop on this machine"}, NotAfter: time.Now().Add(authorityLife),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}); err != nil {
			return nil, err
		}
	}
	names, addresses := reachedAs(host)
	if own, err := kept(f.cert, f.key, renewBefore); err == nil && covers(own.leaf, authority.leaf, names, addresses) {
		return f, nil
	}
	_, err = make509(f.cert, f.key, authority, &x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, NotAfter: time.Now().Add(certLife), DNSNames: names, IPAddresses: addresses,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return f, err
}

// reachedAs lists the names and addresses under which clients on this machine, or by its name, come.
func reachedAs(host string) (names []string, addresses []net.IP) {
	names = []string{"localhost"}
	if name, err := os.Hostname(); err == nil && name != "" && name != "localhost" {
		names = append(names, name)
	}
	addresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if ip := net.ParseIP(host); ip != nil && !ip.IsLoopback() && !ip.IsUnspecified() {
		addresses = append(addresses, ip)
	} else if ip == nil && host != "" && host != "localhost" {
		names = append(names, host)
	}
	return names, addresses
}

func covers(leaf, authority *x509.Certificate, names []string, addresses []net.IP) bool {
	for _, name := range names {
		if leaf.VerifyHostname(name) != nil {
			return false
		}
	}
	for _, ip := range addresses {
		if leaf.VerifyHostname(ip.String()) != nil {
			return false
		}
	}
	return leaf.CheckSignatureFrom(authority) == nil
}

// made is a certificate with its key.
type made struct {
	leaf *x509.Certificate
	key  any
}

var errEnding = errors.New("the certificate is near its end")

// kept reads a certificate that was made before and is good for a while.
func kept(certFile, keyFile string, left time.Duration) (*made, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	if time.Until(pair.Leaf.NotAfter) < left {
		return nil, errEnding
	}
	return &made{pair.Leaf, pair.PrivateKey}, nil
}

// make509 makes a key and a certificate, signed by an authority, or by itself without one.
func make509(certFile, keyFile string, authority *made, c *x509.Certificate) (*made, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	const serialBits = 120
	if c.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits)); err != nil {
		return nil, err
	}
	c.NotBefore = time.Now().Add(-time.Hour) // clocks differ
	if authority == nil {
		authority = &made{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, authority.leaf, &key.PublicKey, authority.key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &made{leaf, key}, err
}

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// trusting returns a client that trusts one authority only, and speaks the versions of HTTP that set chooses.
func trusting(t *testing.T, authority string, set func(*http.Protocols)) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: &http.Protocols{}}
	set(transport.Protocols)
	if authority != "" {
		pem, err := os.ReadFile(authority)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

func postTo(t *testing.T, c *http.Client, url, key, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

const tlsKey = "sk-0b9f6a3d81c24e57"

var (
	http1 = func(p *http.Protocols) { p.SetHTTP1(true) }
	http2 = func(p *http.Protocols) { p.SetHTTP2(true) }
	h2c   = func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }
)

func TestEveryVersionOfHTTP(t *testing.T) {
	config := write(t, serveConfig(simulated(t), tlsKey, ""))
	dir := t.TempDir()
	plain, plainURL := running(t, nil, "--config", config)
	secure := start(t, nil, "--port", "0", "--data-dir", dir, "--config", config, "--host", "127.0.0.1", "--tls-self-signed")
	line := secure.out.wait(t, "AWS_CA_BUNDLE=")
	authority := strings.TrimSpace(line[strings.Index(line, "=")+1:])
	ready := secure.err.wait(t, "https://")
	secureURL := "https://" + strings.FieldsFunc(ready[strings.Index(ready, "https://")+len("https://"):], func(c rune) bool { return c == ' ' || c == '"' })[0]
	for _, c := range []struct {
		name      string
		url       string
		authority string
		set       func(*http.Protocols)
		proto     string
	}{
		{"HTTP/1.1", plainURL, "", http1, "HTTP/1.1"},
		{"HTTP/2 with prior knowledge", plainURL, "", h2c, "HTTP/2.0"},
		{"HTTP/1.1 under TLS", secureURL, authority, http1, "HTTP/1.1"},
		{"HTTP/2 under TLS", secureURL, authority, http2, "HTTP/2.0"},
	} {
		client := trusting(t, c.authority, c.set)
		resp := postTo(t, client, c.url, tlsKey, ask)
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 || resp.Proto != c.proto || !strings.Contains(string(body), "You said: Hello!") {
			t.Errorf("%s: %s %d %v %s", c.name, resp.Proto, resp.StatusCode, err, body)
		}
		stream := postTo(t, client, c.url, tlsKey, strings.Replace(ask, "{", `{"stream":true,`, 1))
		events := bufio.NewScanner(stream.Body)
		if !events.Scan() || !strings.HasPrefix(events.Text(), "data: {") {
			t.Errorf("%s: %s, %v", c.name, events.Text(), events.Err())
		}
		rest, err := io.ReadAll(stream.Body)
		if err != nil || !strings.HasSuffix(strings.TrimSpace(string(rest)), "data: [DONE]") && !strings.Contains(events.Text(), "[DONE]") && len(rest) > 0 {
			t.Errorf("%s: %v %q", c.name, err, rest)
		}
		// A client that leaves in mid-stream, over a connection that others use.
		left := postTo(t, client, c.url, tlsKey, `{"model":"m","stream":true,"messages":[{"role":"user","content":"[[words:5000]]"}]}`)
		if _, err := left.Body.Read(make([]byte, 1)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		_ = left.Body.Close()
		if resp := postTo(t, client, c.url, "sk-wrong", ask); resp.StatusCode != 401 {
			t.Errorf("%s: %d", c.name, resp.StatusCode)
		}
		large := postTo(t, client, c.url, tlsKey, strings.Repeat(" ", 33<<20)+ask)
		if large.StatusCode != 413 {
			t.Errorf("%s: %d", c.name, large.StatusCode)
		}
	}
	plain.end(t)
	secure.end(t)

	// The certificate is kept, and only its owner can read the keys.
	again := start(t, nil, "--port", "0", "--data-dir", dir, "--config", config, "--host", "127.0.0.1", "--tls-self-signed")
	if line := again.out.wait(t, "AWS_CA_BUNDLE="); !strings.HasSuffix(strings.TrimSpace(line), authority) {
		t.Error(line)
	}
	again.err.wait(t, "https://")
	again.end(t)
	for _, name := range []string{"ca-key.pem", "key.pem"} {
		if info, err := os.Stat(filepath.Join(dir, "tls", name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	first, err := selfSigned(filepath.Join(t.TempDir(), "a"), "")
	if err != nil {
		t.Fatal(err)
	}
	second, err := selfSigned(filepath.Join(t.TempDir(), "b"), "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCertificate(first.cert, first.key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	serial := func() string {
		t.Helper()
		c.looked = time.Time{}
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.SerialNumber.String()
	}
	before := serial()
	replace := func(from, to string) {
		t.Helper()
		data, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, data, 0o600)
		}
		if err == nil {
			err = os.Chtimes(to, time.Now(), time.Now().Add(time.Minute))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	replace(second.cert, first.cert) // the key is not there yet
	if serial() != before {
		t.Error("half a pair is in use")
	}
	replace(second.key, first.key)
	after := serial()
	if after == before {
		t.Error("the new certificate is not in use")
	}
	if err := os.Remove(first.key); err != nil {
		t.Fatal(err)
	}
	if serial() != after {
		t.Error("the certificate in use must stay")
	}
	if leaf := c.current.Leaf; leaf.VerifyHostname("192.0.2.7") != nil || leaf.VerifyHostname("localhost") != nil || leaf.VerifyHostname("::1") != nil {
		t.Errorf("%v %v", leaf.DNSNames, leaf.IPAddresses)
	}
}

func TestTLSFlagsThatContradictEachOther(t *testing.T) {
	made, err := selfSigned(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	config := write(t, serveConfig(simulated(t), tlsKey, ""))
	f := func(want string, args ...string) {
		t.Helper()
		code, _, stderr := command(t, nil, "", append([]string{"--port", "0", "--data-dir", t.TempDir(), "--config", config}, args...)...)
		if code == exitOK || !strings.Contains(stderr, want) || strings.Count(strings.TrimSpace(stderr), "\n") != 0 {
			t.Errorf("%v: %d %s", args, code, stderr)
		}
	}
	f("belong together", "--ssl_certfile_path", made.cert)
	f("belong together", "--ssl_keyfile_path", made.key)
	f("leave --ssl_certfile_path", "--tls-self-signed", "--ssl_certfile_path", made.cert, "--ssl_keyfile_path", made.key)
	f("no such file", "--ssl_certfile_path", "/nowhere.pem", "--ssl_keyfile_path", made.key)
	f("cannot be used", "--ssl_certfile_path", made.cert, "--ssl_keyfile_path", made.authorityKey)
	p, url := running(t, map[string]string{"SSL_CERTFILE_PATH": made.cert, "SSL_KEYFILE_PATH": made.key}, "--config", config, "--host", "127.0.0.1")
	if resp := postTo(t, trusting(t, made.authority, http2), url, tlsKey, ask); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
	p.end(t)
}

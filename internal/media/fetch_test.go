package media

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

func TestFetcherRefusesEveryWayInside(t *testing.T) {
	f := NewFetcher(FetchOptions{})
	t.Cleanup(f.Close)
	for _, u := range []string{
		"http://127.0.0.1/", "http://127.0.0.1:80/", "http://127.1/", "http://127.0.1/", "http://0/", "http://0.0.0.0/", "http://localhost/", "http://LOCALHOST/",
		"http://localhost./", "http://2130706433/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://017700000001/", "http://127.0.0.1.:80/",
		"http://10.0.0.1/", "http://10.255.255.255/", "http://172.16.0.1/", "http://172.31.255.255/", "http://192.168.0.1/", "http://192.168.1.1:443/",
		"http://169.254.169.254/", "http://169.254.169.254/latest/meta-data/", "http://169.254.170.2/", "http://[fd00:ec2::254]/", "http://[fd00:ec2::23]/",
		"http://100.64.0.1/", "http://100.100.100.200/", "http://192.0.0.192/", "http://198.18.0.1/", "http://240.0.0.1/", "http://255.255.255.255/",
		"http://224.0.0.1/", "http://192.0.2.1/", "http://198.51.100.1/", "http://203.0.113.1/",
		"http://[::1]/", "http://[::]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[::ffff:10.0.0.1]/", "http://[::ffff:169.254.169.254]/",
		"http://[0:0:0:0:0:ffff:127.0.0.1]/", "http://[::127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[64:ff9b::169.254.169.254]/", "http://[2002:7f00:1::]/",
		"http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", "http://[fe80::1]/", "http://[fe80::1%25eth0]/", "http://[fc00::1]/", "http://[fec0::1]/", "http://[ff02::1]/",
		"http://[2001:db8::1]/", "http://[100::1]/",
		"http://user:pw@example.com/", "http://example.com@127.0.0.1/", "http://example.com:22/", "http://example.com:6379/", "ftp://example.com/", "file:///etc/passwd",
		"gopher://example.com/", "http:///x", "http:example.com", "//example.com/x", "http://[::1", "http://%31%32%37.0.0.1/", "javascript:alert(1)", "",
		"http://metadata/", "http://metadata.google.internal/", "http://instance-data/",
	} {
		file, err := f.Fetch(context.Background(), u)
		if err == nil {
			t.Errorf("%s was fetched: %d bytes", u, len(file.Data))
			continue
		}
		for _, inner := range []string{"127.", "10.0", "169.254", "192.168", "::", "dial", "lookup"} {
			if strings.Contains(err.Error(), inner) {
				t.Errorf("%s: the error shows an address: %v", u, err)
			}
		}
	}
}

func TestFetch(t *testing.T) {
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	mux.HandleFunc("/a.png", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write([]byte("\x89PNG"))
	})
	mux.HandleFunc("/empty", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 4096)) })
	mux.HandleFunc("/chunked", func(w http.ResponseWriter, _ *http.Request) {
		for range 8 {
			_, _ = w.Write(make([]byte, 512))
			_ = http.NewResponseController(w).Flush()
		}
	})
	mux.HandleFunc("/hop/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("n"))
		if err != nil || n == 0 {
			http.Redirect(w, r, "/a.png", http.StatusFound)
			return
		}
		http.Redirect(w, r, "/hop/"+strconv.Itoa(n-1), http.StatusFound)
	})
	mux.HandleFunc("/inside", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/", http.StatusFound)
	})
	fetcher := NewFetcher(FetchOptions{MaxBytes: 1 << 10, AllowedHosts: []string{host}})
	t.Cleanup(fetcher.Close)
	f := func(path string, want error) {
		t.Helper()
		file, err := fetcher.Fetch(context.Background(), server.URL+path)
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
		if want == nil && (file.MIME != "image/png" || file.Name != "/a.png" || string(file.Data) != "\x89PNG") {
			t.Errorf("%s: got %+v", path, file)
		}
	}
	f("/a.png", nil)
	f("/hop/1", nil)
	f("/hop/5", ErrRedirects)
	f("/inside", ErrForbidden)
	f("/nothing", ErrFetch)
	f("/empty", ErrEmpty)
	f("/large", ErrTooLarge)
	f("/chunked", ErrTooLarge)

	strict := NewFetcher(FetchOptions{})
	t.Cleanup(strict.Close)
	if _, err := strict.Fetch(context.Background(), "http://localtest.invalid/"); !errors.Is(err, ErrFetch) {
		t.Errorf("an unknown host: %v", err)
	}
	if _, err := strict.Fetch(context.Background(), server.URL+"/a.png"); !errors.Is(err, ErrPort) {
		t.Errorf("a host that is not allowed: %v", err)
	}
}

func TestPublic(t *testing.T) {
	for _, text := range []string{"8.8.8.8", "1.1.1.1", "52.94.236.248", "2606:4700:4700::1111", "::ffff:8.8.8.8"} {
		if !Public(netip.MustParseAddr(text)) {
			t.Errorf("%s is public", text)
		}
	}
}

func FuzzFetcherCheck(f *testing.F) {
	for _, s := range []string{"http://127.0.0.1/", "http://[::ffff:10.0.0.1]/", "https://example.com/a.png", "http://0x7f.1/"} {
		f.Add(s)
	}
	fetcher := NewFetcher(FetchOptions{})
	f.Fuzz(func(t *testing.T, text string) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // nothing is sent
		if _, err := fetcher.Fetch(ctx, text); err == nil {
			t.Fatalf("%q was fetched", text)
		}
	})
}

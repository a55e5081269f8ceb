package gateway

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const pngHead = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"

func TestFilesBehindURLs(t *testing.T) {
	files := http.NewServeMux()
	server := httptest.NewServer(files)
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	files.HandleFunc("/a.png", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg") // servers are wrong at times
		_, _ = w.Write([]byte(pngHead))
	})
	files.HandleFunc("/report.pdf", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write([]byte("%PDF-1.4\n"))
	})
	files.HandleFunc("/page.png", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write([]byte("<html>not an image</html>"))
	})
	files.HandleFunc("/inside.png", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	})
	up := &scriptedUpstream{t: t}
	aws := httptest.NewServer(up)
	t.Cleanup(aws.Close)
	g := newRig(t, goldenConfig(map[string]string{"settings": "litellm_settings:\n  user_url_allowed_hosts: ['" + host + "']\n"}, aws.URL), nil)
	ask := func(urls ...string) (*http.Response, string) {
		t.Helper()
		parts := `{"type":"text","text":"what is it"}`
		for _, u := range urls {
			parts += fmt.Sprintf(`,{"type":"image_url","image_url":{"url":%q}}`, u)
		}
		return g.post("/v1/chat/completions", `{"model":"sonnet","messages":[{"role":"user","content":[`+parts+`]}]}`)
	}
	if resp, body := ask(server.URL+"/a.png", server.URL+"/report.pdf"); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	for _, want := range []string{
		`"format": "png"`, base64.StdEncoding.EncodeToString([]byte(pngHead)), `"format": "pdf"`, base64.StdEncoding.EncodeToString([]byte("%PDF-1.4\n")),
	} {
		if !strings.Contains(up.seen(), want) {
			t.Errorf("%s did not reach AWS: %s", want, up.seen())
		}
	}
	called := len(up.calls)
	refused := func(url, reason string) {
		t.Helper()
		resp, body := ask(url)
		message, _, param, code := errorOf(t, body)
		if resp.StatusCode != 400 || param != "messages[0].content[1]" || code != "invalid_media" || !strings.Contains(message, reason) {
			t.Errorf("%s: %d %s", url, resp.StatusCode, body)
		}
	}
	refused(server.URL+"/nothing.png", "the file from 127.0.0.1 cannot be used: the file could not be fetched: its server answers with status 404")
	refused(server.URL+"/page.png", "no image, document, video or audio clip")
	refused(server.URL+"/inside.png", "an address that is not public")
	refused("http://169.254.169.254/latest/", "an address that is not public")
	refused("http://10.0.0.1/a.png", "an address that is not public")
	refused("https://example.com:6379/", "its port is neither 80 nor 443")
	refused("https://user:pw@example.com/", "without user or password")
	var many []string
	for range 33 {
		many = append(many, server.URL+"/a.png")
	}
	if resp, body := ask(many...); resp.StatusCode != 400 || !strings.Contains(body, "32 files") {
		t.Errorf("33 files: %d %s", resp.StatusCode, body)
	}
	if len(up.calls) != called {
		t.Error("a refused request went to AWS")
	}
}

package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/tools/txtar"
)

// GoldenCase is a golden case for tests outside of the package.
type GoldenCase struct {
	// Path, Header and Body are the client's request, Config is the configuration, Upstream what AWS got from the gateway.
	Path     string
	Header   http.Header
	Body     string
	Config   string
	Settings string
	Upstream string
	// Seen returns what AWS has got by now.
	Seen func() string
}

// OpenGolden reads a golden case and starts its upstream.
func OpenGolden(t *testing.T, file string) *GoldenCase {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	upstream := &scriptedUpstream{t: t}
	for _, f := range archive.Files {
		sections[f.Name] = string(f.Data)
		upstream.learn(f.Name, string(f.Data))
	}
	server := httptest.NewServer(upstream)
	t.Cleanup(server.Close)
	path, header := goldenPath(sections["path"])
	return &GoldenCase{
		Path: path, Header: header, Body: sections["request"], Config: goldenConfig(sections, server.URL),
		Settings: sections["settings"] + sections["params"], Upstream: sections["upstream"], Seen: upstream.seen,
	}
}

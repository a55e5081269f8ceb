package gateway

import (
	_ "embed"
	"net/http"
	"strconv"
	"strings"
)

//go:embed home.html
var homePage string

// home answers GET / with a page that says where things are.
func (s *Server) home(x *exchange) {
	page := strings.ReplaceAll(homePage, "{{version}}", s.Version)
	x.status = http.StatusOK
	h := x.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	x.w.WriteHeader(http.StatusOK)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write([]byte(page))
	}
}

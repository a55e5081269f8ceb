package callbacks

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// answerLimit bounds how much of a sink's answer is read.
const answerLimit = 1 << 20

// newClient returns a client for one sink. It follows no redirect: what is sent may be for one address only.
func newClient() *http.Client {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: s3Parallel, IdleConnTimeout: 30 * time.Second, ResponseHeaderTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// statusError is an answer that is no success. What the sink says is not repeated: it may quote what was sent.
type statusError struct {
	code int
	host string
}

func (e *statusError) Error() string {
	return e.host + " answers " + strconv.Itoa(e.code) + " " + http.StatusText(e.code)
}

// final reports whether the same request would be refused again. A wrong key can be mended, and so can a missing bucket.
func (e *statusError) final() bool {
	switch e.code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict,
		http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.code < http.StatusInternalServerError
}

// do sends a request and returns the answer's body. The error is a *statusError for an answer that is no success.
func do(client *http.Client, r *http.Request) ([]byte, error) {
	resp, err := client.Do(r)
	if err != nil {
		return nil, telemetry.Unreachable(r, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		return nil, &statusError{resp.StatusCode, r.URL.Host}
	}
	return data, err
}

// isFinal reports whether err would come again.
func isFinal(err error) bool {
	var answered *statusError
	return errors.As(err, &answered) && answered.final()
}

func newRequest(ctx context.Context, method, address string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address is no URL") // the error would quote it
	}
	r.Header["User-Agent"] = []string{"outcrop"}
	r.Header["Content-Type"] = []string{"application/json"}
	return r, nil
}

// checkURL says what is wrong with a sink's address. Secrets that stand in it are not repeated.
func checkURL(name, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New(name + " must be an http:// or https:// URL")
	}
	return u, nil
}

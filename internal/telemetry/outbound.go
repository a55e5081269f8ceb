package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// reachTime bounds how long it may take to connect to those who are told.
const reachTime = 10 * time.Second

// NewClient returns a client for those who are told of calls and alerts. A whole request takes no longer than timeout, 0 is no
// bound. It follows no redirect: what is sent may be for one address only.
func NewClient(timeout time.Duration) (*http.Client, *http.Transport) {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: reachTime}).DialContext, TLSHandshakeTimeout: reachTime,
		IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
	}
	return &http.Client{Transport: t, Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, t
}

// NewRequest returns a request with a body of JSON. The error says nothing of the address, in which secrets may be.
func NewRequest(ctx context.Context, method, address string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address is no URL") // the error would quote it
	}
	r.Header["User-Agent"] = []string{"outcrop"}
	r.Header["Content-Type"] = []string{"application/json"}
	return r, nil
}

// StatusError is an answer that is no success. What it says is not repeated: it may quote what was sent.
type StatusError struct {
	Code int
	Host string
}

// Error says who answered what.
func (e *StatusError) Error() string {
	return e.Host + " answers " + strconv.Itoa(e.Code) + " " + http.StatusText(e.Code)
}

// Do sends a request and returns the answer's body, up to limit bytes of it. The error is a *StatusError for an answer that is no
// success, and names the host alone where there is none.
func Do(client *http.Client, r *http.Request, limit int64) ([]byte, error) {
	resp, err := client.Do(r) //nolint:gosec // an operator has said where to
	if err != nil {
		return nil, Unreachable(r, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		return nil, &StatusError{resp.StatusCode, r.URL.Host}
	}
	return data, err
}

// Unreachable is the error of a request that found nobody to answer it, with the name of the host. That of net/http has the
// whole URL, in which secrets may be.
func Unreachable(r *http.Request, err error) error {
	var where *url.Error
	if errors.As(err, &where) {
		err = where.Err
	}
	return fmt.Errorf("%s cannot be reached: %w", r.URL.Host, err)
}

package callbacks

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// answerLimit bounds how much of a sink's answer is read.
const answerLimit = 1 << 20

// newClient returns a client for one sink.
func newClient() *http.Client {
	c, t := telemetry.NewClient(0)
	t.MaxIdleConnsPerHost, t.ResponseHeaderTimeout = s3Parallel, 30*time.Second
	return c
}

// do sends a request and returns the answer's body. The error is a *telemetry.StatusError for an answer that is no success.
func do(client *http.Client, r *http.Request) ([]byte, error) {
	return telemetry.Do(client, r, answerLimit)
}

// isFinal reports whether err would come again: the same request would be refused again. A wrong key can be mended, and so can a
// missing bucket.
func isFinal(err error) bool {
	var answered *telemetry.StatusError
	if !errors.As(err, &answered) {
		return false
	}
	switch answered.Code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict,
		http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return answered.Code < http.StatusInternalServerError
}

// checkURL says what is wrong with a sink's address. Secrets that stand in it are not repeated.
func checkURL(name, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New(name + " must be an http:// or https:// URL")
	}
	return u, nil
}

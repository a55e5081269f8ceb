package telemetry

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// Unreachable is the error of a request that found nobody to answer it, with the name of the host. That of net/http has the
// whole URL, in which secrets may be.
func Unreachable(r *http.Request, err error) error {
	var where *url.Error
	if errors.As(err, &where) {
		err = where.Err
	}
	return fmt.Errorf("%s cannot be reached: %w", r.URL.Host, err)
}

package account

import "time"

// WithClock returns options of limits that go by a clock of a test's own.
func WithClock(o LimitOptions, now func() time.Time) LimitOptions {
	o.now = now
	return o
}

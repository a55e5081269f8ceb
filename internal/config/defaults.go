package config

import (
	"cmp"
	"time"
)

// Defaults of settings that a file leaves out. The whole-call time-out is LiteLLM's.
const (
	defaultTimeout           = 600 * time.Second
	defaultStreamIdleTimeout = 120 * time.Second
	defaultConnectTimeout    = 5 * time.Second
	defaultShutdownTimeout   = 30 * time.Second
	defaultMaxRequestSizeMB  = 32
)

// Timeouts are the bounds of one call, all set.
type Timeouts struct {
	// Total bounds a whole call that is not a stream.
	Total time.Duration
	// Stream bounds the time to the first event of a stream.
	Stream time.Duration
	// StreamIdle bounds the silence between two events of a stream.
	StreamIdle time.Duration
	// Connect bounds the TCP and TLS handshake.
	Connect time.Duration
	// FirstByte bounds the wait for the headers of an answer that is not a stream.
	FirstByte time.Duration
}

// Timeouts returns the bounds of a call to d: d's own, else the router's, else the defaults.
func (c *Config) Timeouts(d *Deployment) Timeouts {
	p, r := &d.Params, &c.RouterSettings
	total := cmp.Or(p.Timeout, r.Timeout)
	return Timeouts{
		Total:      total,
		Stream:     cmp.Or(p.StreamTimeout, r.StreamTimeout, total),
		StreamIdle: cmp.Or(p.StreamIdleTimeout, r.StreamIdleTimeout),
		Connect:    cmp.Or(p.ConnectTimeout, r.ConnectTimeout),
		FirstByte:  cmp.Or(p.FirstByteTimeout, r.FirstByteTimeout, total),
	}
}

// DropParams tells whether parameters unknown to d's model are dropped: d's own setting, else the general one.
func (c *Config) DropParams(d *Deployment) bool {
	if d.Params.DropParams != nil {
		return *d.Params.DropParams
	}
	return c.LitellmSettings.DropParams
}

// ModifyParams tells whether requests to d may be repaired: d's own setting, else the general one.
func (c *Config) ModifyParams(d *Deployment) bool {
	if d.Params.ModifyParams != nil {
		return *d.Params.ModifyParams
	}
	return c.LitellmSettings.ModifyParams
}

// OnClientDisconnect tells what becomes of a call to d whose client has gone.
func (c *Config) OnClientDisconnect(d *Deployment) Disconnect {
	return cmp.Or(d.Params.OnClientDisconnect, c.GeneralSettings.OnClientDisconnect, Cancel)
}

// MaxRequestBytes returns the largest body of a request in bytes.
func (c *Config) MaxRequestBytes() int64 {
	return int64(c.GeneralSettings.MaxRequestSizeMB * (1 << 20))
}

// EstimatesTokens reports whether tokens that nobody counts may be estimated.
func (c *Config) EstimatesTokens() bool {
	return c.GeneralSettings.CountTokensEstimates == nil || *c.GeneralSettings.CountTokensEstimates
}

// LookupEnv looks a variable up for this configuration: environment_variables first, then process, which may be nil.
// It is what credential sources should ask, so that a file can bring its own AWS_REGION_NAME.
func (c *Config) LookupEnv(process func(string) (string, bool)) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if v, ok := c.Environment[name]; ok {
			return v.Reveal(), true
		}
		if process == nil {
			return "", false
		}
		return process(name)
	}
}

// fill sets what the file left out.
func (c *Config) fill() {
	r, g := &c.RouterSettings, &c.GeneralSettings
	r.RoutingStrategy = cmp.Or(r.RoutingStrategy, "simple-shuffle")
	r.Timeout = cmp.Or(r.Timeout, c.LitellmSettings.RequestTimeout, defaultTimeout)
	r.StreamIdleTimeout = cmp.Or(r.StreamIdleTimeout, defaultStreamIdleTimeout)
	r.ConnectTimeout = cmp.Or(r.ConnectTimeout, defaultConnectTimeout)
	g.OnClientDisconnect = cmp.Or(g.OnClientDisconnect, Cancel)
	g.GracefulShutdownTimeout = cmp.Or(g.GracefulShutdownTimeout, defaultShutdownTimeout)
	g.SpendRetentionInterval = cmp.Or(g.SpendRetentionInterval, 24*time.Hour)
	if g.MaxRequestSizeMB <= 0 {
		g.MaxRequestSizeMB = defaultMaxRequestSizeMB
	}
}

package gateway

import (
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/internal/telemetry/metrics"
)

func TestMetricsNeedAKeyUnlessTheyAreOpen(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	f := func(open bool, want int) {
		t.Helper()
		m := metrics.New(metrics.Options{})
		g := newRig(t, simConfig(url, withKey), func(o *Options) { o.Metrics, o.OpenMetrics = m.Handler(), open })
		resp, _ := g.send("GET", "/metrics", "", nil)
		if resp.StatusCode != want {
			t.Errorf("without a key: %d, want %d", resp.StatusCode, want)
		}
		resp, body := g.send("GET", "/metrics", "", bearer(testKey))
		if resp.StatusCode != 200 || !strings.Contains(body, "outcrop_build_info") || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%d %s %.200s", resp.StatusCode, resp.Header.Get("Content-Type"), body)
		}
		if n := g.server.InFlight(); n != 0 {
			t.Errorf("%d requests are under way", n)
		}
	}
	f(false, 401)
	f(true, 200)
}

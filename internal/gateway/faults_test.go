package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/sim"
)

// fault returns a simulator whose answers go wrong: all of them, or a share.
func fault(name string, share float64) sim.Options {
	return sim.Options{Scenario: &sim.Scenario{Rules: []sim.Rule{{Match: sim.Match{Share: share}, Fault: &sim.Fault{Name: name}}}}}
}

// TestFaults: with several deployments a client hears of a failure only where no other try could have helped.
func TestFaults(t *testing.T) {
	after := func(n int, name string) sim.Options {
		o := fault(name, 0)
		o.Scenario.Rules[0].Fault.After = &n
		return o
	}
	throttled := after(0, "stream-throttle")
	throttled.Scenario.Rules[0].Match.Share = 0.3
	for _, c := range []struct {
		name     string
		all      sim.Options  // of every deployment
		first    *sim.Options // of the first, if it is another
		dead     bool         // nobody listens at the first
		settings string
		stream   bool
		// torn says that what the first deployment says ends in the middle: no other try can help then.
		torn bool
	}{
		{name: "throttled now and then", all: fault("throttle", 0.3), settings: "  num_retries: 12\n  retry_policy: {RateLimitErrorRetries: 12}\n"},
		{name: "streams throttled now and then", all: throttled, settings: "  num_retries: 12\n", stream: true},
		{name: "a region that is down", first: ptrTo(fault("unavailable", 0))},
		{name: "a region that is down, for streams", first: ptrTo(fault("unavailable", 0)), stream: true},
		{name: "a region without an answer", dead: true},
		{name: "a region without an answer, for streams", dead: true, stream: true},
		{name: "a model that is gone", first: ptrTo(fault("not-found", 0))},
		{name: "a slow first byte", first: &sim.Options{FirstEvent: time.Hour}, settings: "  stream_timeout: 1\n", stream: true},
		{name: "a slow answer", first: &sim.Options{Latency: time.Hour}, settings: "  timeout: 1\n"},
		{name: "an upstream that hangs", first: ptrTo(fault("stall", 0)), settings: "  timeout: 1\n"},
		{name: "an upstream that hangs, for streams", first: ptrTo(fault("stall", 0)), settings: "  stream_timeout: 1\n", stream: true},
		{name: "a stream that hangs at once", first: ptrTo(after(0, "stall-stream")), settings: "  stream_timeout: 1\n", stream: true},
		{name: "a cut before any header", first: ptrTo(fault("cut", 0))},
		{name: "an answer that breaks in the middle", first: ptrTo(fault("cut-stream", 0))},
		{name: "a stream that breaks at once", first: ptrTo(after(1, "cut-stream")), stream: true},
		{name: "a stream that breaks in the middle", first: ptrTo(after(3, "cut-stream")), stream: true, torn: true},
	} {
		for _, n := range []int{2, 5} {
			t.Run(fmt.Sprint(c.name, ", ", n, " deployments"), func(t *testing.T) {
				var list strings.Builder
				for i := range n + 1 {
					o := c.all
					if i == 0 && c.first != nil {
						o = *c.first
					}
					o.Seed, o.Auth = uint64(i), sim.AuthOff
					s, url := upstream(t, o)
					if i == 0 && c.dead {
						s.Close()
					}
					group := "m"
					if i == n {
						group = "spare"
					}
					fmt.Fprintf(&list, "  - {model_name: %s, litellm_params: {model: bedrock/amazon.nova-lite-v1:0, aws_access_key_id: A, aws_secret_access_key: s, aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: '%s'}, model_info: {id: d%d}}\n", group, url, i)
				}
				settings := c.settings
				if !strings.Contains(settings, "num_retries") {
					settings += "  num_retries: 2\n"
				}
				g := newRig(t, "model_list:\n"+list.String()+"general_settings: {master_key: "+testKey+"}\nrouter_settings:\n"+settings, nil)
				failed, torn := g.storm(t, 60, c.stream)
				if len(failed) > 0 {
					t.Errorf("%d calls failed, such as %s", len(failed), failed[0])
				}
				if c.torn != (torn > 0) || torn > 59 {
					t.Errorf("%d streams ended in the middle", torn)
				}
			})
		}
	}
}

func ptrTo(o sim.Options) *sim.Options { return &o }

// storm makes so many calls, some at once, and returns the failures and how many streams ended with an error in their middle.
// A stream that ends without a word is a failure.
func (g *rig) storm(t *testing.T, calls int, stream bool) (failed []string, torn int) {
	t.Helper()
	more := ""
	if stream {
		more = `,"stream":true`
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan bool, 12)
	for range calls {
		slots <- true
		wg.Go(func() {
			defer func() { <-slots }()
			resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, more))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case resp.StatusCode == http.StatusOK && (!stream || strings.HasSuffix(body, "data: [DONE]\n\n") && !strings.Contains(body, `"error"`)):
			case resp.StatusCode == http.StatusOK && strings.Contains(body, `"error"`) && strings.Contains(body, `"content"`):
				torn++
			default:
				failed = append(failed, fmt.Sprint(resp.StatusCode, " ", body))
			}
		})
	}
	wg.Wait()
	return failed, torn
}

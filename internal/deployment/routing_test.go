package deployment

import (
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/router"
)

// routing reads how calls are routed by a configuration.
func routing(t *testing.T, settings string) engine.Routing {
	t.Helper()
	c, problems := config.Parse("config.yaml", []byte("model_list: [{model_name: m, litellm_params: {model: bedrock/amazon.nova-lite-v1:0}}]\n"+settings), func(string) (string, bool) { return "", false })
	if config.HasErrors(problems) {
		t.Fatal(problems)
	}
	o, err := NewRouting(c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestRoutingUnlessSaid(t *testing.T) {
	o := routing(t, "")
	if o.Retries != 2 || o.Hedge.After != 0 || o.Hedge.Share != 0.05 || o.EnforceLimits || o.PreCallChecks || o.TagFiltering || o.Affinity.NoCache || o.Affinity.Session || o.Affinity.Caller ||
		o.Cooldown.Disabled || o.Cooldown.AllowedFails >= 0 || o.Cooldown.Cooldown != 0 || o.MaxFallbacks != 0 || len(o.Fallbacks)+len(o.Default)+len(o.Policy)+len(o.AllowedFails) != 0 {
		t.Errorf("%+v", o)
	}
}

func TestRouterSettingsWin(t *testing.T) {
	o := routing(t, "litellm_settings: {num_retries: 5, allowed_fails: 7, cooldown_time: 9, default_fallbacks: [a], max_fallbacks: 8, fallbacks: [{m: [a]}, {n: [b]}]}\n"+
		"router_settings: {num_retries: 1, cooldown_time: 3, hedge_after: 1.5, hedge_max_percent: 2, default_fallbacks: [c], fallbacks: [{m: [d]}], routing_strategy: least-busy, retry_policy: {TimeoutErrorRetries: 4}}\n")
	if o.Retries != 1 || o.Cooldown.AllowedFails != 7 || o.Cooldown.Cooldown != 3*time.Second || o.Hedge.After != 1500*time.Millisecond || o.Hedge.Share != 0.02 ||
		o.MaxFallbacks != 8 || o.Default[0].Model != "c" || o.Fallbacks["m"][0].Model != "d" || o.Fallbacks["n"][0].Model != "b" || o.Strategy != router.LeastBusy || o.Policy[engine.FailTimeout] != 4 {
		t.Errorf("%+v", o)
	}
}

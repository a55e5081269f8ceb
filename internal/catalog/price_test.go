package catalog

import (
	"math"
	"testing"
)

func priceOf(t testing.TB, c *Catalog, name, region string) Price {
	t.Helper()
	ref, err := c.Resolve(name)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := c.Price(ref, region)
	if !ok {
		t.Fatalf("%s in %s has no price", name, region)
	}
	return p
}

func TestPriceFollowsRegionThenProfileThenBase(t *testing.T) {
	c := load(t)
	f := func(name, region string, input, output int64, key string) {
		t.Helper()
		p := priceOf(t, c, name, region)
		if p.Input != (Rate{input, true}) || p.Output != (Rate{output, true}) || p.Key != key || p.Version != c.Version() || p.Version == "" {
			t.Errorf("%s in %s: got %+v", name, region, p)
		}
	}
	const sonnet, lite = "anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-lite-v1:0"
	f(sonnet, "us-east-1", 3_000_000, 15_000_000, sonnet+"/us-east-1")
	f(sonnet, "", 3_000_000, 15_000_000, sonnet)
	f("global."+sonnet, "us-east-1", 3_000_000, 15_000_000, "global."+sonnet+"/us-east-1")
	f("us."+sonnet, "us-east-1", 3_300_000, 16_500_000, "us."+sonnet+"/us-east-1")
	f("us-gov."+sonnet, "", 3_600_000, 18_000_000, "us-gov."+sonnet)
	f(sonnet, "us-gov-west-1", 3_600_000, 18_000_000, sonnet+"/us-gov-west-1")
	f("arn:aws:bedrock:us-east-1:1:inference-profile/us."+sonnet, "us-east-1", 3_300_000, 16_500_000, "us."+sonnet+"/us-east-1")
	f("ca."+sonnet, "ca-central-1", 3_000_000, 15_000_000, "ca."+sonnet+"/ca-central-1") // a profile that the data does not list
	f("eu."+lite, "eu-west-1", 78_000, 312_000, "eu."+lite+"/eu-west-1")
	f("us."+lite, "us-gov-west-1", 72_000, 288_000, "us."+lite+"/us-gov-west-1")
	f("mantle/openai.gpt-6-sol", "us-east-1", 2_200_000, 11_000_000, "mantle/openai.gpt-6-sol/us-east-1")
	f("openai.gpt-6-sol", "us-east-1", 2_000_000, 10_000_000, "openai.gpt-6-sol/us-east-1")
	f("mantle/openai.gpt-5.4", "us-gov-west-1", 3_375_000, 20_250_000, "mantle/openai.gpt-5.4/us-gov-west-1")
	f("moonshot.kimi-k2-thinking", "", 600_000, 2_500_000, "moonshotai.kimi-k2-thinking")

	if p := priceOf(t, c, "us."+sonnet, "us-east-1"); p.Tiers["batch"].Input != (Rate{1_650_000, true}) || len(p.Long) != 1 || p.Long[0].Output != (Rate{24_750_000, true}) {
		t.Errorf("the factor left out tiers or long prompts: %+v", p)
	}
	if p := priceOf(t, c, sonnet, "us-gov-west-1"); len(p.Tiers) != 0 || len(p.Long) != 0 {
		t.Errorf("null took nothing away: %+v", p)
	}
}

func TestPriceOfCapacityPaidByTheHour(t *testing.T) {
	c := load(t)
	const nova = "amazon.nova-lite-v1:0"
	f := func(arn, base, key string, input Rate, ok bool) {
		t.Helper()
		ref, err := c.ResolveWithBase(arn, base)
		if err != nil {
			t.Fatal(err)
		}
		p, known := c.Price(ref, "us-east-1")
		if known != ok || p.Key != key || p.Input != input {
			t.Errorf("%s on %q: got %+v, %v", arn, base, p, known)
		}
	}
	free := Rate{0, true}
	const at = "arn:aws:bedrock:us-east-1:123456789012:"
	f(at+"provisioned-model/x", nova, "provisioned-model/paid by the hour", free, true)
	f(at+"custom-model/"+nova+"/x", "", "custom-model/paid by the hour", free, true)
	f(at+"imported-model/x", "", "imported-model/paid by the hour", free, true)
	f("arn:aws:sagemaker:us-east-1:123456789012:endpoint/x", "", "endpoint/paid by the hour", free, true)
	f(at+"custom-model-deployment/x", nova, nova+"/us-east-1", Rate{60_000, true}, true)
	f(at+"custom-model-deployment/x", "", "", Rate{}, false)
	f(at+"application-inference-profile/x", "us."+nova, "us."+nova+"/us-east-1", Rate{60_000, true}, true)
	f(at+"application-inference-profile/x", "", "", Rate{}, false)
	f(at+"prompt-router/x", "", "", Rate{}, false)
	f("foo.bar-v1", "", "", Rate{}, false)
}

func TestRatesOfTiersAndLongPrompts(t *testing.T) {
	yes := func(pico int64) Rate { return Rate{pico, true} }
	p := Price{
		Rates: Rates{Input: yes(100), Output: yes(500), CacheWrite5m: yes(125)},
		Tiers: map[string]Rates{"flex": {Input: yes(50), Output: yes(250)}, "batch": {Input: yes(40)}},
		Long: []LongRates{
			{Above: 1000, Rates: Rates{Input: yes(200), Output: yes(750)}, Tiers: map[string]Rates{"flex": {Input: yes(110)}}},
			{Above: 2000, Rates: Rates{Input: yes(300)}},
		},
	}
	f := func(prompt int64, tier string, want Rates) {
		t.Helper()
		if got := p.At(prompt, tier); got != want {
			t.Errorf("%d tokens, %q: got %+v, want %+v", prompt, tier, got, want)
		}
	}
	// What is missing: a cache read costs what input costs, a 1-hour write what a 5-minute one costs.
	f(10, "", Rates{yes(100), yes(500), yes(100), yes(125), yes(125)})
	f(10, "default", Rates{yes(100), yes(500), yes(100), yes(125), yes(125)})
	f(10, "reserved", Rates{yes(100), yes(500), yes(100), yes(125), yes(125)})
	f(10, "flex", Rates{yes(50), yes(250), yes(50), yes(125), yes(125)})
	f(1000, "", Rates{yes(100), yes(500), yes(100), yes(125), yes(125)}) // the bound itself is not above the bound
	f(1001, "", Rates{yes(200), yes(750), yes(200), yes(125), yes(125)})
	f(1001, "flex", Rates{yes(110), yes(750), yes(110), yes(125), yes(125)})
	f(2001, "", Rates{yes(300), yes(500), yes(300), yes(125), yes(125)})
	f(2001, "batch", Rates{yes(40), yes(500), yes(40), yes(125), yes(125)}) // batch has no long prompts unless the data says so
	if got := (&Price{}).At(10, ""); got != (Rates{}) {
		t.Errorf("nothing is known, got %+v", got)
	}
}

func TestPricesOfOtherUnits(t *testing.T) {
	c := load(t)
	f := func(name, region string, unit Unit, want int64) {
		t.Helper()
		if got := priceOf(t, c, name, region).Units[unit]; got != (Rate{want, true}) {
			t.Errorf("%s, %s: got %+v", name, unit, got)
		}
	}
	f("amazon.nova-canvas-v1:0", "us-east-1", UnitImage, 60_000_000_000)
	f("amazon.nova-2-multimodal-embeddings-v1:0", "us-east-1", UnitInputImage, 60_000_000)
	f("amazon.nova-2-multimodal-embeddings-v1:0", "us-gov-west-1", UnitInputImage, 72_000_000)
	f("amazon.rerank-v1:0", "us-east-1", UnitQuery, 1_000_000_000)
	f("amazon.nova-2-sonic-v1:0", "us-east-1", UnitAudioInput, 3_000_000)
	f("anthropic.claude-sonnet-4-5-20250929-v1:0", "us-east-1", UnitWebSearch, 10_000_000_000)
	if _, ok := priceOf(t, c, "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "").Units[UnitWebSearch]; ok {
		t.Error("null did not take the price of a web search away")
	}
}

func TestConfiguredPrices(t *testing.T) {
	c := load(t)
	base := priceOf(t, c, "openai.gpt-oss-120b-1:0", "us-east-1")
	p := Override(base, map[string]float64{"input_cost_per_token": 0.000002, "output_cost_per_token": 0, "cache_read_input_token_cost": -1, "cache_creation_input_token_cost": math.NaN(), "color": 3})
	if p.Input != (Rate{2_000_000, true}) || p.Output != (Rate{0, true}) || p.CacheRead.Known || p.CacheWrite5m.Known || p.Tiers != nil || p.Key != "configured "+base.Key {
		t.Errorf("got %+v", p)
	}
	if base.Tiers == nil {
		t.Error("the catalogue's price was changed")
	}
	if got := p.LiteLLM(); len(got) != 2 || got["input_cost_per_token"] != 0.000002 || got["output_cost_per_token"] != 0 {
		t.Errorf("got %v", got)
	}
	if got := Override(base, map[string]float64{"color": 3}); got.Key != base.Key || got.Tiers == nil {
		t.Errorf("got %+v", got)
	}
	if got := Override(Price{}, map[string]float64{"input_cost_per_token": math.Inf(1)}); got.Input.Known {
		t.Errorf("got %+v", got)
	}
}

func BenchmarkPrice(b *testing.B) {
	c := load(b)
	ref, err := c.Resolve("us.anthropic.claude-sonnet-4-5-20250929-v1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Price(ref, "us-east-1"); !ok {
			b.Fatal("no price")
		}
	}
}

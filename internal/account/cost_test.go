package account

import (
	"errors"
	"math"
	"testing"
	"testing/quick"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

func price(t *testing.T, model, region string) catalog.Price {
	t.Helper()
	c, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := c.Resolve(model)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := c.Price(ref, region)
	if !ok {
		t.Fatalf("%s has no price", model)
	}
	return p
}

func TestCostIsExact(t *testing.T) {
	f := func(model, region, tier string, u llm.Usage, usd string) {
		t.Helper()
		got, err := Cost(u, price(t, model, region), tier)
		if err != nil || got.String() != usd {
			t.Errorf("%s in %s, %s: got %s, %v, want %s", model, region, tier, got, err, usd)
		}
	}
	const sonnet = "anthropic.claude-sonnet-4-5-20250929-v1:0"
	f("us."+sonnet, "us-east-1", "default", llm.Usage{Input: 1000, CacheRead: 2000, CacheWrite5m: 3000, Output: 500}, "0.024585")
	f(sonnet, "us-east-1", "default", llm.Usage{Input: 1000, CacheRead: 2000, CacheWrite5m: 3000, CacheWrite1h: 4000, Output: 500}, "0.04635")
	f(sonnet, "us-east-1", "default", llm.Usage{Input: 150000, CacheRead: 60000, Output: 500}, "0.94725")
	f("amazon.nova-lite-v1:0", "us-east-1", "default", llm.Usage{Input: 1000, CacheRead: 500, Output: 1000}, "0.0003075")
	f("us.amazon.nova-pro-v1:0", "us-east-1", "", llm.Usage{Input: 1000, Output: 1000}, "0.004")
	f("openai.gpt-oss-120b-1:0", "us-east-1", "flex", llm.Usage{Input: 1000, Output: 1000}, "0.000375")
	f("openai.gpt-oss-120b-1:0", "us-east-1", "priority", llm.Usage{Input: 1000, Output: 1000}, "0.0013125")
	f("meta.llama3-70b-instruct-v1:0", "us-east-1", "default", llm.Usage{Input: 1000, Output: 1000}, "0.00615")
	f("anthropic.claude-instant-v1", "us-east-1", "default", llm.Usage{Input: 1000, Output: 1000}, "0.0032")
	f("amazon.titan-embed-text-v2:0", "us-east-1", "default", llm.Usage{Input: 1000}, "0.00002")
	f("arn:aws:bedrock:us-east-1:1:provisioned-model/x", "us-east-1", "", llm.Usage{Input: 1000, Output: 1000}, "0")
}

func TestUnknownPriceIsNeverZero(t *testing.T) {
	c, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := c.Resolve("bedrock/foo.bar-v1")
	if err != nil {
		t.Fatal(err)
	}
	p, ok := c.Price(ref, "us-east-1")
	if ok {
		t.Errorf("an unknown model has a price: %+v", p)
	}
	if _, err := Cost(llm.Usage{Input: 1}, p, ""); !errors.Is(err, ErrNoPrice) {
		t.Errorf("got %v", err)
	}
}

func TestConfiguredPricesWin(t *testing.T) {
	p := catalog.Override(price(t, "us.amazon.nova-pro-v1:0", "us-east-1"), map[string]float64{"input_cost_per_token": 0.000002, "output_cost_per_token": 0})
	got, err := Cost(llm.Usage{Input: 1000, Output: 1000}, p, "flex")
	if err != nil || got.String() != "0.002" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestLinesAddUp(t *testing.T) {
	p := price(t, "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-east-1")
	check := func(in, out, read, w5, w1 uint32) bool {
		u := llm.Usage{Input: int64(in), Output: int64(out), CacheRead: int64(read), CacheWrite5m: int64(w5), CacheWrite1h: int64(w1)}
		lines, err := CostLines(u, p, "")
		total, err2 := Cost(u, p, "")
		return err == nil && err2 == nil && lines.Total() == total && total >= lines.Input && total >= 0
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

func TestAbsurdUsageIsRefused(t *testing.T) {
	p := price(t, "us.amazon.nova-pro-v1:0", "us-east-1")
	for _, u := range []llm.Usage{{Input: -1}, {Output: math.MaxInt64}} {
		if _, err := Cost(u, p, ""); !errors.Is(err, ErrUsage) {
			t.Errorf("%+v: got %v", u, err)
		}
	}
}

func TestAmounts(t *testing.T) {
	f := func(a Amount, text string, nanos int64) {
		t.Helper()
		if a.String() != text || a.Nanos() != nanos {
			t.Errorf("%d: got %s, %d", a, a, a.Nanos())
		}
	}
	f(0, "0", 0)
	f(1, "0.000000000001", 0)
	f(500, "0.0000000005", 1)
	f(1_500_000_000_000, "1.5", 1_500_000_000)
}

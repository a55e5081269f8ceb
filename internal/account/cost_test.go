package account

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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

// The worked examples of docs/pricing.md are computed, so that they stay true.
func TestDocumentedExamples(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "pricing.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(page), "| USD |\n|---|---|---|---|---|---|---|---|---|\n")
	if !ok {
		t.Fatal("the table of examples has gone")
	}
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 9 {
			break
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		var u llm.Usage
		for i, count := range []*int64{&u.Input, &u.CacheRead, &u.CacheWrite5m, &u.CacheWrite1h, &u.Output} {
			if *count, err = strconv.ParseInt(cells[3+i], 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		got, err := Cost(u, price(t, cells[0], cells[1]), cells[2])
		if err != nil || got.String() != cells[8] {
			t.Errorf("%s: got %s, %v", line, got, err)
		}
		rows++
	}
	if rows < 11 {
		t.Errorf("only %d examples were read", rows)
	}
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

// TestLongPromptsAndTiers works out by hand what the rules of docs/pricing.md say.
func TestLongPromptsAndTiers(t *testing.T) {
	f := func(model, tier string, u llm.Usage, usd string) {
		t.Helper()
		got, err := Cost(u, price(t, model, "us-east-1"), tier)
		if err != nil || got.String() != usd {
			t.Errorf("%s, %s: got %s, %v, want %s", model, tier, got, err, usd)
		}
	}
	const sonnet = "anthropic.claude-sonnet-4-5-20250929-v1:0"
	// 200,000 tokens are not above 200,000; one more, read from the cache or written to it, makes the whole request long.
	f(sonnet, "", llm.Usage{Input: 200_000, Output: 1000}, "0.615")
	f(sonnet, "", llm.Usage{Input: 200_001, Output: 1000}, "1.222506")
	f(sonnet, "", llm.Usage{Input: 200_000, CacheRead: 1, Output: 1000}, "1.2225006")
	f(sonnet, "", llm.Usage{Input: 200_000, CacheWrite1h: 1, Output: 1000}, "1.222512")
	// Output does not count towards the bound.
	f(sonnet, "", llm.Usage{Input: 100_000, Output: 150_000}, "2.55")
	// Batch has no long prompts here.
	f(sonnet, "batch", llm.Usage{Input: 300_000, Output: 1000}, "0.4575")
	// A tier with a long price of its own.
	f("openai.gpt-6-astra", "ultrafast", llm.Usage{Input: 300_000, Output: 1000}, "40.095")
	// Tiers that the model has no prices for, and a cache price that the tier does not change.
	f(sonnet, "flex", llm.Usage{Input: 1000, Output: 1000}, "0.018")
	f(sonnet, "reserved", llm.Usage{Input: 1000, Output: 1000}, "0.018")
	f(sonnet, "batch", llm.Usage{Input: 1000, CacheRead: 1000, Output: 1000}, "0.0093")
	// No price for the cache at all: it costs what input costs.
	f("meta.llama3-70b-instruct-v1:0", "", llm.Usage{CacheRead: 1000, CacheWrite5m: 1000, CacheWrite1h: 1000}, "0.00795")
	// Nothing used, nothing to pay.
	f(sonnet, "", llm.Usage{}, "0")
}

func TestAKindOfTokenWithoutPrice(t *testing.T) {
	p := catalog.Price{Rates: catalog.Rates{Input: catalog.Rate{Pico: 1, Known: true}}}
	if got, err := Cost(llm.Usage{Input: 5}, p, ""); err != nil || got != 5 {
		t.Errorf("got %d, %v", got, err)
	}
	got, err := Cost(llm.Usage{Input: 5, Output: 1}, p, "")
	if !errors.Is(err, ErrNoPrice) || !strings.Contains(err.Error(), "output") || got != 0 {
		t.Errorf("got %d, %v", got, err)
	}
}

func TestLinesAddUpAndNeverFall(t *testing.T) {
	prices := []catalog.Price{
		price(t, "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-east-1"),
		price(t, "openai.gpt-6-astra", "us-east-1"),
		price(t, "openai.gpt-oss-120b-1:0", "us-east-1"),
		price(t, "arn:aws:bedrock:us-east-1:1:provisioned-model/x", "us-east-1"),
	}
	tiers := []string{"", "default", "flex", "priority", "ultrafast", "batch"}
	check := func(in, out, read, w5, w1 uint32, which, tier, kind uint8, more uint16) bool {
		p, name := prices[int(which)%len(prices)], tiers[int(tier)%len(tiers)]
		u := llm.Usage{Input: int64(in >> 8), Output: int64(out >> 8), CacheRead: int64(read >> 8), CacheWrite5m: int64(w5 >> 8), CacheWrite1h: int64(w1 >> 8)}
		lines, err := CostLines(u, p, name)
		total, err2 := Cost(u, p, name)
		if err != nil || err2 != nil || lines.Total() != total {
			return false
		}
		for _, line := range []Amount{lines.Input, lines.Output, lines.CacheRead, lines.CacheWrite5m, lines.CacheWrite1h} {
			if line < 0 || line > total {
				return false
			}
		}
		grown := u
		*[]*int64{&grown.Input, &grown.Output, &grown.CacheRead, &grown.CacheWrite5m, &grown.CacheWrite1h}[kind%5] += int64(more)
		after, err := Cost(grown, p, name)
		return err == nil && after >= total
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
}

func TestAbsurdUsageIsRefused(t *testing.T) {
	p := price(t, "us.amazon.nova-pro-v1:0", "us-east-1")
	free := price(t, "arn:aws:bedrock:us-east-1:1:provisioned-model/x", "us-east-1")
	counts := []int64{-1, math.MinInt64, math.MaxInt64, 1 << 61}
	for _, n := range counts {
		for _, u := range []llm.Usage{{Input: n}, {Output: n}, {CacheRead: n}, {CacheWrite5m: n}, {CacheWrite1h: n}, {Input: n, CacheRead: n}} {
			for _, p := range []catalog.Price{p, free, {}} {
				if got, err := Cost(u, p, ""); !errors.Is(err, ErrUsage) || got != 0 {
					t.Errorf("%+v: got %d, %v", u, got, err)
				}
			}
		}
	}
	// The largest lines that there can be do not overflow.
	most := catalog.Rate{Pico: 1 << 30, Known: true}
	u := llm.Usage{Input: 1 << 30, Output: 1 << 30, CacheRead: 1 << 30, CacheWrite5m: 1 << 30, CacheWrite1h: 1 << 30}
	got, err := Cost(u, catalog.Price{Rates: catalog.Rates{Input: most, Output: most, CacheRead: most, CacheWrite5m: most, CacheWrite1h: most}}, "")
	if err != nil || got != 5<<60 || got.Nanos() <= 0 {
		t.Errorf("got %d, %v", got, err)
	}
	u.Input++
	if _, err := Cost(u, catalog.Price{Rates: catalog.Rates{Input: most}}, ""); !errors.Is(err, ErrUsage) {
		t.Errorf("got %v", err)
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
	f(499, "0.000000000499", 0)
	f(500, "0.0000000005", 1)
	f(1499, "0.000000001499", 1)
	f(1500, "0.0000000015", 2)
	f(-1_500_000_000_000, "-1.5", -1_500_000_000)
	f(-1500, "-0.0000000015", -1)
	f(math.MaxInt64, "9223372.036854775807", 9_223_372_036_854_776)
	f(1_500_000_000_000, "1.5", 1_500_000_000)
	if got := Amount(46_350_000_000).Dollars(); got != 0.04635 {
		t.Errorf("got %v", got)
	}
}

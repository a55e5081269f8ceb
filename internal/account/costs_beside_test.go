package account

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

// TestCostsBesideTokens compares what seconds and searches cost with testdata/costs_beside.txt, to the nano-dollar.
func TestCostsBesideTokens(t *testing.T) {
	data, err := os.ReadFile("testdata/costs_beside.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var (
			model, region, want    string
			videoIn, audioIn, made float64
			u                      llm.Usage
		)
		if _, err := fmt.Sscan(line, &model, &region, &u.Input, &u.Output, &videoIn, &audioIn, &made, &u.Searches, &want); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for at, seconds := range map[*time.Duration]float64{&u.VideoIn: videoIn, &u.AudioIn: audioIn, &u.VideoMade: made} {
			*at = time.Duration(math.Round(seconds * float64(time.Second)))
		}
		lines, err := CostLines(u, price(t, model, region), "")
		got := strconv.FormatInt(lines.Total().Nanos(), 10)
		if errors.Is(err, ErrNoPrice) && lines == (Lines{}) {
			got, err = "unknown", nil
		}
		if err != nil || got != want {
			t.Errorf("%s: %s nano-dollars, %v", strings.TrimSpace(line), got, err)
		}
		if sum := lines.Read() + lines.Written() + lines.Searches; sum != lines.Total() {
			t.Errorf("%s: the parts are %s of %s", strings.TrimSpace(line), sum, lines.Total())
		}
		n++
	}
	if n < 20 {
		t.Errorf("%d cases, want at least 20", n)
	}
}

func TestSecondsOfYourOwnPrice(t *testing.T) {
	const pegasus, reel, sonnet = "us.twelvelabs.pegasus-1-2-v1:0", "amazon.nova-reel-v1:1", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
	const capacity = "arn:aws:bedrock:us-east-1:1:provisioned-model/x"
	f := func(model string, usd map[string]float64, u llm.Usage, want string) {
		t.Helper()
		got, err := Cost(u, catalog.Override(price(t, model, "us-east-1"), usd), "")
		text := got.String()
		if err != nil {
			text = "unknown"
		}
		if text != want {
			t.Errorf("%s, %v: %s, %v, want %s", model, usd, text, err, want)
		}
	}
	type usd = map[string]float64
	second := time.Second
	// A second of media, of a model that AWS is paid for by those: the other classes stay as they are.
	f(pegasus, usd{"input_cost_per_second": 0.001}, llm.Usage{VideoIn: 30 * second, Output: 200}, "0.0315")
	f(pegasus, usd{"input_cost_per_video_per_second": 0.002, "input_cost_per_second": 0.001}, llm.Usage{VideoIn: 30 * second, Output: 200}, "0.0615")
	f("amazon.nova-2-multimodal-embeddings-v1:0", usd{"input_cost_per_audio_per_second": 0.001}, llm.Usage{VideoIn: second, AudioIn: second}, "0.0017")
	f(reel, usd{"output_cost_per_second": 0.05}, llm.Usage{VideoMade: 6 * second}, "0.3")
	f(reel, usd{"output_cost_per_video_per_second": 0}, llm.Usage{VideoMade: 6 * second}, "0")
	f(pegasus, usd{"input_cost_per_second": math.NaN()}, llm.Usage{VideoIn: second}, "unknown")
	// A second that the call takes, of every other model, in the place of tokens.
	f(capacity, usd{"input_cost_per_second": 0.011}, llm.Usage{Input: 1000, Output: 1000, Time: 1500 * time.Millisecond}, "0.0165")
	f(capacity, usd{"output_cost_per_second": 0.02}, llm.Usage{Input: 1000, Output: 1000, Time: 1500 * time.Millisecond}, "0.03")
	f(capacity, usd{"output_cost_per_second": 0.02, "input_cost_per_second": 0.011}, llm.Usage{Time: 1500 * time.Millisecond}, "0.0165")
	f(sonnet, usd{"input_cost_per_second": 0.001}, llm.Usage{Input: 1000, Output: 1000, Time: 2 * second}, "0.002")
	f(sonnet, usd{"input_cost_per_second": 0.001, "input_cost_per_token": 0.000001, "output_cost_per_token": 0}, llm.Usage{Input: 1000, Output: 1000, Time: 2 * second}, "0.003")
	f(sonnet, usd{"input_cost_per_second": 0}, llm.Usage{Input: 1000, Time: 2 * second}, "0")
	f(sonnet, nil, llm.Usage{Input: 1000, Time: 2 * second}, "unknown")
	// Searches.
	f("us.amazon.nova-2-lite-v1:0", usd{"web_search_cost_per_query": 0.03, "input_cost_per_token": 0, "output_cost_per_token": 0}, llm.Usage{Input: 1000, Searches: 2}, "0.06")
}

// What nobody has counted has no known cost, whatever else is known, unless it is free.
func TestUncountedIsNeverZero(t *testing.T) {
	p := price(t, "us.twelvelabs.pegasus-1-2-v1:0", "us-east-1")
	if got, err := Cost(llm.Usage{Output: 100, Uncounted: true}, p, ""); !errors.Is(err, ErrUncounted) || got != 0 {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := Cost(llm.Usage{Output: 100, Uncounted: true}, price(t, "arn:aws:bedrock:us-east-1:1:provisioned-model/x", "us-east-1"), ""); err != nil || got != 0 {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestAbsurdSecondsAreRefused(t *testing.T) {
	p := price(t, "us.twelvelabs.pegasus-1-2-v1:0", "us-east-1")
	dear := catalog.Price{Units: map[catalog.Unit]catalog.Rate{}}
	for _, unit := range []catalog.Unit{catalog.UnitVideoSecond, catalog.UnitAudioSecond, catalog.UnitSecond, catalog.UnitWebSearch} {
		dear.Units[unit] = catalog.Rate{Pico: 1 << 59, Known: true}
	}
	for _, u := range []llm.Usage{{VideoIn: -1}, {AudioIn: math.MinInt64}, {VideoMade: -time.Second}, {Time: -1}, {Searches: -1}, {Searches: 1 << 61}} {
		if got, err := Cost(u, p, ""); !errors.Is(err, ErrUsage) || got != 0 {
			t.Errorf("%+v: got %s, %v", u, got, err)
		}
	}
	for _, u := range []llm.Usage{{VideoIn: math.MaxInt64}, {AudioIn: 3 * time.Second}, {Time: math.MaxInt64}, {VideoMade: time.Hour}} {
		if got, err := Cost(u, dear, ""); !errors.Is(err, ErrUsage) || got != 0 {
			t.Errorf("%+v: got %s, %v", u, got, err)
		}
	}
	// Each line is an amount; their sum is not.
	all := llm.Usage{VideoIn: 2 * time.Second, AudioIn: 2 * time.Second, VideoMade: 2 * time.Second, Time: 2 * time.Second, Searches: 2}
	if got, err := Cost(all, dear, ""); err != nil || got != 5<<60 {
		t.Errorf("got %d, %v", got, err)
	}
	most := catalog.Rate{Pico: 1 << 60, Known: true}
	dear.Rates = catalog.Rates{Input: most, Output: most, CacheRead: most}
	all.Input, all.Output, all.CacheRead = 1, 1, 1
	if got, err := Cost(all, dear, ""); !errors.Is(err, ErrUsage) || got != 0 {
		t.Errorf("got %d, %v", got, err)
	}
}

func TestSumsOfUsages(t *testing.T) {
	one := llm.Usage{Input: 1, VideoIn: 2, AudioIn: 3, VideoMade: 4, Searches: 5, Time: 6, Uncounted: true}
	want := llm.Usage{Input: 2, VideoIn: 4, AudioIn: 6, VideoMade: 8, Searches: 10, Time: 12, Uncounted: true}
	if got := one.Plus(one); got != want {
		t.Errorf("got %+v", got)
	}
	if got := (Lines{VideoIn: 1, AudioIn: 2, VideoMade: 3, Searches: 4, Time: 5}); got.Plus(got) != (Lines{VideoIn: 2, AudioIn: 4, VideoMade: 6, Searches: 8, Time: 10}) || got.Total() != 15 || got.Seconds() != 11 {
		t.Errorf("got %+v", got)
	}
	if got := (Lines{Output: 1000}).Reasoning(llm.Usage{Output: 3, Reasoning: 1}); got != 333 {
		t.Errorf("got %d", got)
	}
}

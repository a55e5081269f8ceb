package router

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func isBedrock(name string) bool { return strings.HasPrefix(name, "us.") }

func TestPickPrefersTheNearestName(t *testing.T) {
	r := New([]*Deployment{
		{ID: "1", Group: "claude"}, {ID: "2", Group: "bedrock/*"}, {ID: "3", Group: "bedrock/us.*"}, {ID: "4", Group: "claude-*-fast"}, {ID: "5", Group: "bedrock/exact"},
	}, []Alias{{Name: "gpt-4", Group: "claude"}, {Name: "secret", Group: "bedrock/exact", Hidden: true}})
	f := func(name, id, matched string) {
		t.Helper()
		d, m, err := r.Pick(name, isBedrock)
		if err != nil || d.ID != id || m != matched {
			t.Errorf("%s: got %+v, %q, %v; want %s, %q", name, d, m, err, id, matched)
		}
	}
	f("claude", "1", "")
	f("gpt-4", "1", "")
	f("secret", "5", "")
	f("1", "1", "")
	f("bedrock/exact", "5", "")
	f("bedrock/us.amazon.nova-pro-v1:0", "3", "amazon.nova-pro-v1:0")
	f("us.amazon.nova-pro-v1:0", "3", "amazon.nova-pro-v1:0")
	f("bedrock/eu.amazon.nova-pro-v1:0", "2", "eu.amazon.nova-pro-v1:0")
	f("claude-3-fast", "4", "3")
	for _, name := range []string{"gpt-4o", "", "bedrock/", "claude--fast", "claude-", "bedrock"} {
		if d, _, err := r.Pick(name, isBedrock); !errors.Is(err, ErrUnknownModel) {
			t.Errorf("%q was served by %+v", name, d)
		}
	}
	if got := strings.Join(r.Names(), " "); got != "claude bedrock/* bedrock/us.* claude-*-fast bedrock/exact gpt-4" {
		t.Errorf("names: %s", got)
	}
}

func TestShuffleFollowsWeights(t *testing.T) {
	f := func(weights ...float64) {
		t.Helper()
		var list []*Deployment
		total := 0.0
		for i, w := range weights {
			list = append(list, &Deployment{ID: string(rune('a' + i)), Group: "g", Weight: w})
			total += w
		}
		r := New(list, nil)
		const n = 10000
		count := map[string]int{}
		for range n {
			d, _, err := r.Pick("g", isBedrock)
			if err != nil {
				t.Fatal(err)
			}
			count[d.ID]++
		}
		for _, d := range list {
			p := 1 / float64(len(list))
			if total > 0 {
				p = d.Weight / total
			}
			sigma := math.Sqrt(n * p * (1 - p))
			if got := float64(count[d.ID]); math.Abs(got-n*p) > 5*sigma+0.5 {
				t.Errorf("weights %v: %s was picked %v times, want about %v", weights, d.ID, got, n*p)
			}
		}
	}
	f(0, 0, 0)
	f(1, 2, 7)
	f(1, 0)
}

func TestLowestOrderIsUsed(t *testing.T) {
	r := New([]*Deployment{{ID: "2", Group: "g", Order: 2}, {ID: "1", Group: "g", Order: 1}}, nil)
	for range 50 {
		if d, _, _ := r.Pick("g", isBedrock); d.ID != "1" {
			t.Fatalf("picked order 2")
		}
	}
}

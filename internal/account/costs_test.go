package account

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/llm"
)

// TestCostsWorkedOutByHand compares costs with those of testdata/costs.txt, to the nano-dollar.
func TestCostsWorkedOutByHand(t *testing.T) {
	data, err := os.ReadFile("testdata/costs.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var (
			model, region, tier string
			u                   llm.Usage
			want                int64
		)
		if _, err := fmt.Sscan(line, &model, &region, &tier, &u.Input, &u.CacheRead, &u.CacheWrite5m, &u.CacheWrite1h, &u.Output, &want); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		lines, err := CostLines(u, price(t, model, region), tier)
		if err != nil || lines.Total().Nanos() != want {
			t.Errorf("%s: %d nano-dollars, %v", strings.TrimSpace(line), lines.Total().Nanos(), err)
		}
		n++
	}
	if n < 60 {
		t.Errorf("%d cases, want at least 60", n)
	}
}

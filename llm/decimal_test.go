package llm

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestDecimal: an amount is written exactly, as a number without trailing zeros.
func TestDecimal(t *testing.T) {
	amounts := []int64{0, 1, -1, picoPerDollar, -picoPerDollar, picoPerDollar - 1, 1 - picoPerDollar, 1_500_000_000_000, -2_000_000_000_001, math.MaxInt64, math.MinInt64}
	random := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		amounts = append(amounts, int64(random.Uint64()>>random.IntN(64)))
	}
	for _, pico := range amounts {
		want := new(big.Rat).SetFrac64(pico, picoPerDollar).FloatString(12)
		want = strings.TrimSuffix(strings.TrimRight(want, "0"), ".")
		if got := NewCost(pico).Decimal(); got != want {
			t.Errorf("%d: got %s, want %s", pico, got, want)
		}
	}
}

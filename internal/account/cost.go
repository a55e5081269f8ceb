package account

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

// ErrNoPrice says that a kind of token was used for which no price is known. An unknown price is never zero.
var ErrNoPrice = errors.New("no price is known for a kind of token that was used")

// ErrUncounted says that something was used which is paid for, and nobody says how much of it.
var ErrUncounted = errors.New("nobody says how much was used of what is paid for by the second")

// ErrUsage says that a usage is none: a count is negative, or so large that its price cannot be written.
var ErrUsage = errors.New("the usage cannot be priced")

// Amount is a sum of money in pico-dollars (1e-12 USD): small enough for the price of one token, so that nothing is
// rounded before the end, and large enough for nine million dollars.
type Amount int64

const (
	picoPerDollar = 1_000_000_000_000
	// maxTokens bounds a count, so that the sum of four is a prompt's length still; maxLine bounds a line of a cost, a million
	// dollars, so that the sum of all fits into 64 bits.
	maxTokens = 1 << 60
	maxLine   = 1 << 60
)

// USD returns an amount of dollars, to the next pico-dollar, and the largest there is for more than that.
func USD(dollars float64) Amount {
	pico := math.Round(dollars * picoPerDollar)
	if pico >= math.MaxInt64 {
		return math.MaxInt64
	}
	return Amount(pico)
}

// Nanos returns the amount in nano-dollars (1e-9 USD), half a nano-dollar rounded up. Round once, at the end: a sum of rounded
// amounts is not the rounded sum.
func (a Amount) Nanos() int64 {
	nanos, rest := int64(a)/1000, int64(a)%1000
	if rest < 0 { // of a credit
		nanos, rest = nanos-1, rest+1000
	}
	if rest >= 500 {
		nanos++
	}
	return nanos
}

// Dollars returns the amount in USD, for showing.
func (a Amount) Dollars() float64 { return float64(a) / picoPerDollar }

// String returns the amount in USD as a decimal number without trailing zeros.
func (a Amount) String() string { return llm.NewCost(int64(a)).Decimal() }

// Lines are a cost by kinds of tokens, and of what is paid for beside them: each is the price of the count with its name in
// [llm.Usage].
type Lines struct {
	Input, Output, CacheRead, CacheWrite5m, CacheWrite1h, Images, Queries, Made Amount
	VideoIn, AudioIn, VideoMade, Searches, Time                                 Amount
}

// Total returns the sum of the lines.
func (l Lines) Total() Amount {
	return l.Input + l.Output + l.CacheRead + l.CacheWrite5m + l.CacheWrite1h + l.Images + l.Queries + l.Made + l.Seconds() + l.Searches
}

// Seconds returns what is paid for by the second: media that were read or made, and time.
func (l Lines) Seconds() Amount { return l.VideoIn + l.AudioIn + l.VideoMade + l.Time }

// Read returns what the prompt cost without what has to do with a cache: tokens, and all else that was read. The time of a
// call is counted here, as LiteLLM does.
func (l Lines) Read() Amount { return l.Input + l.Images + l.Queries + l.VideoIn + l.AudioIn + l.Time }

// Written returns what the answer cost: tokens, and all else that was made.
func (l Lines) Written() Amount { return l.Output + l.Made + l.VideoMade }

// Reasoning returns the part of the output's cost that was thinking, where AWS counts that: its share of the tokens, half a
// pico-dollar rounded up.
func (l Lines) Reasoning(u llm.Usage) Amount {
	if u.Reasoning <= 0 || u.Output <= 0 {
		return 0
	}
	share := float64(u.Reasoning) / float64(u.Output)
	return Amount(min(share, 1)*float64(l.Output) + 0.5)
}

// Plus returns the sum of two costs, line by line.
func (l Lines) Plus(m Lines) Lines {
	return Lines{
		Input: l.Input + m.Input, Output: l.Output + m.Output, CacheRead: l.CacheRead + m.CacheRead, CacheWrite5m: l.CacheWrite5m + m.CacheWrite5m,
		CacheWrite1h: l.CacheWrite1h + m.CacheWrite1h, Images: l.Images + m.Images, Queries: l.Queries + m.Queries, Made: l.Made + m.Made,
		VideoIn: l.VideoIn + m.VideoIn, AudioIn: l.AudioIn + m.AudioIn, VideoMade: l.VideoMade + m.VideoMade,
		Searches: l.Searches + m.Searches, Time: l.Time + m.Time,
	}
}

// Cost returns what AWS will bill for u under p. tier is the service tier in AWS's answer, which is the one billed. A
// prompt longer than one of p's bounds is billed at that bound's rates as a whole, its answer included. See
// docs/pricing.md. The error is ErrNoPrice, ErrUncounted or ErrUsage.
func Cost(u llm.Usage, p catalog.Price, tier string) (Amount, error) {
	lines, err := CostLines(u, p, tier)
	return lines.Total(), err
}

// CostLines is Cost by kinds of tokens. Its total is Cost's amount.
func CostLines(u llm.Usage, p catalog.Price, tier string) (Lines, error) {
	var l Lines
	rates := p.At(u.Prompt(), tier)
	unit := func(used int64, name catalog.Unit) (r catalog.Rate) { // few calls have any: nothing is looked up for the others
		if used != 0 {
			r = p.Units[name]
		}
		return r
	}
	for _, part := range [...]struct {
		name   string
		tokens int64
		rate   catalog.Rate
		line   *Amount
	}{
		{"input", u.Input, rates.Input, &l.Input},
		{"output", u.Output, rates.Output, &l.Output},
		{"cache read", u.CacheRead, rates.CacheRead, &l.CacheRead},
		{"5-minute cache write", u.CacheWrite5m, rates.CacheWrite5m, &l.CacheWrite5m},
		{"1-hour cache write", u.CacheWrite1h, rates.CacheWrite1h, &l.CacheWrite1h},
		{"image", u.Images, unit(u.Images, catalog.UnitInputImage), &l.Images},
		{"query", u.Queries, unit(u.Queries, catalog.UnitQuery), &l.Queries},
		{"made image", u.Made, unit(u.Made, catalog.UnitImage), &l.Made},
		{"web search", u.Searches, unit(u.Searches, catalog.UnitWebSearch), &l.Searches},
	} {
		switch {
		case part.tokens < 0 || part.tokens > maxTokens || part.rate.Pico < 0:
			return Lines{}, ErrUsage
		case part.tokens == 0:
			continue
		case !part.rate.Known:
			return Lines{}, fmt.Errorf("%w: %s", ErrNoPrice, part.name)
		}
		high, low := bits.Mul64(uint64(part.tokens), uint64(part.rate.Pico))
		if high != 0 || low > maxLine {
			return Lines{}, fmt.Errorf("%w: %s", ErrUsage, part.name)
		}
		*part.line = Amount(low)
	}
	switch {
	case u.Uncounted && !(p.Free(catalog.UnitVideoSecond) && p.Free(catalog.UnitAudioSecond)):
		return Lines{}, ErrUncounted
	case u.VideoIn|u.AudioIn|u.VideoMade|u.Time != 0: // of few calls
		if err := l.timed(&u, &p); err != nil {
			return Lines{}, err
		}
	}
	if l.Total() < 0 { // it went over: thirteen lines stay below twice the largest amount
		return Lines{}, ErrUsage
	}
	return l, nil
}

// timed adds what is paid for by the second. A part of a pico-dollar is rounded, half up: one line at a time, so that they
// add up to the cost.
func (l *Lines) timed(u *llm.Usage, p *catalog.Price) error {
	made := p.Units[catalog.UnitMadeVideoSecond]
	if !made.Known {
		made = p.Units[catalog.UnitVideoSecond]
	}
	for _, part := range [...]struct {
		name string
		long time.Duration
		rate catalog.Rate
		line *Amount
	}{
		{"second of video", u.VideoIn, p.Units[catalog.UnitVideoSecond], &l.VideoIn},
		{"second of sound", u.AudioIn, p.Units[catalog.UnitAudioSecond], &l.AudioIn},
		{"second of made video", u.VideoMade, made, &l.VideoMade},
		{"second", u.Time, p.Units[catalog.UnitSecond], &l.Time},
	} {
		switch {
		case part.long < 0 || part.rate.Pico < 0:
			return ErrUsage
		case part.long == 0:
			continue
		case !part.rate.Known:
			return fmt.Errorf("%w: %s", ErrNoPrice, part.name)
		}
		high, low := bits.Mul64(uint64(part.long), uint64(part.rate.Pico)) // a product of a second's price and nanoseconds
		low, carry := bits.Add64(low, uint64(time.Second/2), 0)
		if high += carry; high >= uint64(time.Second) {
			return fmt.Errorf("%w: %s", ErrUsage, part.name)
		}
		amount, _ := bits.Div64(high, low, uint64(time.Second))
		if amount > maxLine {
			return fmt.Errorf("%w: %s", ErrUsage, part.name)
		}
		*part.line = Amount(amount)
	}
	return nil
}

package llm

import (
	"strconv"
	"time"
)

// Served says how an answer came about. Every answer of the Go SDK has it.
type Served struct {
	// Model is the name that was asked for. ModelID is the id in AWS's URL, Deployment the id of the deployment that
	// answered, Region its AWS region, RequestID AWS's own id of the request.
	Model, ModelID, Deployment, Region, RequestID string
	// Cost is what AWS will bill.
	Cost Cost
	// Losses are what was asked for and not done, by name.
	Losses []Loss
	// Fallback is the model that stood in for the one that was asked for, empty if none did. Retries counts the further
	// tries that it took.
	Fallback string
	Retries  int
}

// Cost is a sum of money, if it is known: an unknown price is never zero. Its zero value is unknown.
type Cost struct {
	pico  int64
	known bool
}

// picoPerDollar is the unit of a Cost: the price of one token is a whole number of them.
const picoPerDollar = 1_000_000_000_000

// NewCost returns a cost of pico-dollars (1e-12 USD).
func NewCost(pico int64) Cost { return Cost{pico: pico, known: true} }

// Known reports whether the price of everything that was used is known.
func (c Cost) Known() bool { return c.known }

// USD returns the cost in dollars, 0 if it is unknown.
func (c Cost) USD() float64 { return float64(c.pico) / picoPerDollar }

// Plus returns the sum of two costs. It is unknown if one of them is.
func (c Cost) Plus(d Cost) Cost {
	if !c.known || !d.known {
		return Cost{}
	}
	return NewCost(c.pico + d.pico)
}

// Decimal returns the exact amount in dollars, a decimal number without trailing zeros.
func (c Cost) Decimal() string {
	var room [24]byte // a sign, the digits of 64 bits, a point
	out := strconv.AppendInt(room[:0], c.pico/picoPerDollar, 10)
	rest := c.pico % picoPerDollar
	if rest == 0 {
		return string(out)
	}
	if rest < 0 {
		rest = -rest
		if c.pico > -picoPerDollar { // the whole dollars are 0, which has no sign
			out = append(room[:0], "-0"...)
		}
	}
	out = append(out, '.')
	for unit := int64(picoPerDollar / 10); rest > 0; unit /= 10 {
		out = append(out, "0123456789"[rest/unit])
		rest %= unit
	}
	return string(out)
}

// String returns the exact amount, such as "$0.000345", or "unknown".
func (c Cost) String() string {
	if !c.known {
		return "unknown"
	}
	return "$" + c.Decimal()
}

// Call is the record of one call, for those who count or watch.
type Call struct {
	// ID is the call's own id, a UUID. Verb is what was called: Chat, ChatStream, Embed, …; the call of a transport has the
	// path of its endpoint.
	ID, Verb string
	// Served says which model and deployment answered, and what it cost.
	Served
	// Usage is what AWS counted. Tier is the service tier that it billed.
	Usage Usage
	Tier  string
	// User and Tags are the request's.
	User string
	Tags []string
	// Start is when the call began, FirstToken when the first piece of the answer came (zero if none did), End when it was
	// over. Upstream is the time spent waiting for AWS.
	Start, FirstToken, End time.Time
	Upstream               time.Duration
	// Stream says that a stream was asked for, Abandoned that nobody read the answer to its end.
	Stream, Abandoned bool
	// Tries are those that failed before, as deployment;status, with commas between them.
	Tries string
	// Err is why the call failed, nil if it did not.
	Err *Error
}

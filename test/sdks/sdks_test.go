// Package sdks runs the official Go clients of OpenAI and Anthropic over the SDK's transports, in process. It is a module of
// its own, so that nobody who uses Outcrop has theirs among the dependencies.
package sdks

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/outcrop-ai/outcrop"
	"github.com/outcrop-ai/outcrop/examples/simulation"
)

const (
	nova   = "bedrock/amazon.nova-lite-v1:0"
	claude = "bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client returns a client of a simulated Bedrock.
func client(t *testing.T) *outcrop.Client {
	t.Helper()
	options, end, err := simulation.Options(true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	c, err := outcrop.New(t.Context(), append(options, outcrop.WithRetries(0))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

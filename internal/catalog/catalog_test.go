package catalog

import (
	"slices"
	"testing"
)

func load(t testing.TB) *Catalog {
	t.Helper()
	c, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKnows(t *testing.T) {
	c := load(t)
	f := func(name string, want bool) {
		t.Helper()
		if got := c.Knows(name); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	f("us.anthropic.claude-something-new-v9:0", true)
	f("anthropic.claude-9", true)
	f("arn:aws:bedrock:us-east-1:1:imported-model/x", true)
	f("openai.gpt-oss-120b", true)
	f("anthropic/claude-9", false)
	f("claude-haiku-4-5", true) // a name in Anthropic's own API
	f("claude-nothing-9", false)
	f("gpt-4.1", false)
	f("gpt-4o", false)
	f("foo.bar-v1", false)
	f("", false)
}

func TestNearest(t *testing.T) {
	c := load(t)
	f := func(name string, want string, extra ...string) {
		t.Helper()
		if got := c.Nearest(name, 3, extra...); !slices.Contains(got, want) {
			t.Errorf("%s: got %v, want %s among them", name, got, want)
		}
	}
	f("claud", "claude", "claude", "nova")
	f("anthropic.claude-3-sonet-20240229-v1:0", "anthropic.claude-3-sonnet-20240229-v1:0")
	f("nova-pro", "amazon.nova-pro-v1:0")
	f("us.anthropic.claude-3-5-sonet-20241022-v2:0", "us.anthropic.claude-3-5-sonnet-20241022-v2:0")
	f("bedrock/eu.amazon.nova-pro-v1", "eu.amazon.nova-pro-v1:0")
	if got := c.Nearest("zzzzzzzzzzzz", 3); len(got) != 0 {
		t.Errorf("far names: %v", got)
	}
}

// BenchmarkDefault is what the first call of Default costs.
func BenchmarkDefault(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		f, err := decode(embedded)
		if err != nil {
			b.Fatal(err)
		}
		build(f)
	}
}

package catalog

import "testing"

func TestNamesOfAnthropicsOwnAPI(t *testing.T) {
	c, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	f := func(name, region, want string) {
		t.Helper()
		if got := c.Claude(name, region); got != want {
			t.Errorf("%s in %s: got %q, want %q", name, region, got, want)
		}
	}
	f("claude-sonnet-4-5", "us-east-1", "us.anthropic.claude-sonnet-4-5-20250929-v1:0")
	f("claude-sonnet-4-5-20250929", "eu-west-1", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0")
	f("claude-sonnet-4-5", "ap-northeast-1", "jp.anthropic.claude-sonnet-4-5-20250929-v1:0")
	f("claude-sonnet-4-5", "ap-south-1", "global.anthropic.claude-sonnet-4-5-20250929-v1:0")
	f("claude-sonnet-4-5", "me-south-1", "global.anthropic.claude-sonnet-4-5-20250929-v1:0")
	f("claude-opus-4-0", "us-west-2", "us.anthropic.claude-opus-4-20250514-v1:0")
	f("claude-3-5-sonnet-latest", "us-west-2", "us.anthropic.claude-3-5-sonnet-20241022-v2:0")
	f("claude-3-5-sonnet-20240620", "us-west-2", "us.anthropic.claude-3-5-sonnet-20240620-v1:0")
	f("claude-3-5-haiku-latest", "us-west-2", "us.anthropic.claude-3-5-haiku-20241022-v1:0")
	f("claude-opus-4-6", "us-west-2", "us.anthropic.claude-opus-4-6-v1")
	f("claude-opus-4-6-20260205", "us-west-2", "us.anthropic.claude-opus-4-6-v1")
	f("eu.anthropic.claude-haiku-4-5", "us-west-2", "eu.anthropic.claude-haiku-4-5-20251001-v1:0")
	f("anthropic.claude-haiku-4-5", "us-west-2", "us.anthropic.claude-haiku-4-5-20251001-v1:0")
	f("haiku", "us-east-1", "us.anthropic.claude-haiku-5-5")
	f("sonnet", "us-east-1", "us.anthropic.claude-sonnet-5-5")
	f("claude-nothing-9", "us-east-1", "")
	f("gpt-4", "us-east-1", "")
	f("claude-", "us-east-1", "")
}

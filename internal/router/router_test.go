package router

import (
	"errors"
	"strings"
	"testing"
)

func isBedrock(name string) bool { return strings.HasPrefix(name, "us.") }

func TestTheNearestNameIsFound(t *testing.T) {
	r := New([]*Deployment{
		{ID: "1", Group: "claude"}, {ID: "2", Group: "bedrock/*"}, {ID: "3", Group: "bedrock/us.*"}, {ID: "4", Group: "claude-*-fast"}, {ID: "5", Group: "bedrock/exact"},
	}, []Alias{{Name: "gpt-4", Group: "claude"}, {Name: "secret", Group: "bedrock/exact", Hidden: true}})
	f := func(name, id, matched string) {
		t.Helper()
		list, m, err := r.Group(name, isBedrock)
		if err != nil || len(list) != 1 || list[0].ID != id || m != matched {
			t.Errorf("%s: got %+v, %q, %v; want %s, %q", name, list, m, err, id, matched)
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
		if d, _, err := r.Group(name, isBedrock); !errors.Is(err, ErrUnknownModel) {
			t.Errorf("%q was served by %+v", name, d)
		}
	}
	if got := strings.Join(r.Names(), " "); got != "claude bedrock/* bedrock/us.* claude-*-fast bedrock/exact gpt-4" {
		t.Errorf("names: %s", got)
	}
}

package catalog

import (
	"slices"
	"testing"
)

func TestSupports(t *testing.T) {
	m := &Model{Capabilities: []string{"tools", "!vision"}}
	if m.Supports(Tools) != Yes || m.Supports(Vision) != No || m.Supports(Video) != Unknown || (*Model)(nil).Supports(Tools) != Unknown {
		t.Error("capabilities are misread")
	}
}

func TestFactsOfModels(t *testing.T) {
	c := load(t)
	get := func(id string) *Model {
		t.Helper()
		m, _ := c.Lookup(id)
		if m == nil {
			t.Fatalf("%s is unknown", id)
		}
		return m
	}
	sonnet := get("us.anthropic.claude-sonnet-4-5-20250929-v1:0")
	if sonnet.Supports(Tools) != Yes || !sonnet.Takes("image") || sonnet.Takes("video") || !sonnet.Streams() || !sonnet.ConverseStreams() || !sonnet.HasConverse() || sonnet.Context == 0 {
		t.Errorf("got %+v", sonnet)
	}
	if got := sonnet.Profiles(); !slices.Contains(got, "us") || !slices.Contains(got, "global") || !slices.IsSorted(got) {
		t.Errorf("profiles %v", got)
	}
	if m := get("ai21.j2-mid-v1"); m.Streams() || m.ConverseStreams() {
		t.Errorf("%s streams", m.ID)
	}
	if m := get("amazon.nova-canvas-v1:0"); m.HasConverse() {
		t.Errorf("%s has Converse", m.ID)
	}
	no := false
	if m := (&Model{Converse: &ConverseLimits{Streams: &no}}); !m.Streams() || m.ConverseStreams() {
		t.Error("Converse streams what it does not")
	}
	var unknown *Model
	if !unknown.Streams() || !unknown.ConverseStreams() || !unknown.HasConverse() {
		t.Error("something is taken as missing of an unknown model")
	}
}

func TestModelInARegion(t *testing.T) {
	c := load(t)
	in := func(name, region string) *Model {
		t.Helper()
		ref, err := c.Resolve(name)
		if err != nil {
			t.Fatal(err)
		}
		return c.ModelIn(ref, region)
	}
	if m := in("foo.bar-v1", "us-east-1"); m != nil {
		t.Errorf("got %+v", m)
	}
	base := in("meta.llama3-70b-instruct-v1:0", "us-east-1")
	if base.EndOfLife == "" || base.Supports(Documents) == Yes {
		t.Errorf("got %+v", base)
	}
	gov := in("meta.llama3-70b-instruct-v1:0", "us-gov-east-1")
	if gov.EndOfLife != "" || gov.MaxOutput != 2048 || gov.Context != 8000 || gov.Supports(Documents) != Yes {
		t.Errorf("got %+v", gov)
	}
	if again := in("meta.llama3-70b-instruct-v1:0", "us-east-1"); again.EndOfLife != base.EndOfLife || again.Supports(Documents) == Yes {
		t.Error("the base model was changed")
	}
	if m := in("mantle/openai.gpt-5.4", "us-east-1"); m.Mode != "responses" || !slices.Contains(m.Endpoints, "chat/completions") || m.Supports(OpenAIPath) != Yes {
		t.Errorf("got %+v", m)
	}
	if m := in("mantle/openai.gpt-5.4", "us-gov-east-1"); !slices.Equal(m.Endpoints, []string{"responses"}) {
		t.Errorf("got %+v", m)
	}
}

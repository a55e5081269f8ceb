package catalog

import (
	"slices"
	"strings"
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

func TestEmbeddedDataHasNoProblems(t *testing.T) {
	for _, p := range Check(embedded) {
		t.Error(p)
	}
	if n := len(load(t).Models()); n < 170 {
		t.Errorf("only %d models", n)
	}
}

func TestCheckFindsMistakes(t *testing.T) {
	f := func(models, want string) {
		t.Helper()
		problems := Check([]byte(`{"schema":1,"version":"x","units":"USD","models":[` + models + `]}`))
		if len(problems) == 0 || !strings.Contains(problems[0].String(), want) {
			t.Errorf("%s: got %v, want %q", models, problems, want)
		}
	}
	model := func(members string) string {
		return `{"id":"a.b","provider":"a","family":"f","body":"x","mode":"chat","input":["text"],"output":["text"],"route":"converse"` + members + `}`
	}
	f(model(`,"colour":"red"`), `unknown field "colour"`)
	f(model(`,"price":{"input_each":3}`), `unknown field "input_each"`)
	f(model(`,"price":{"flex":{"in":3}}`), `unknown field "in"`)
	f(model(`,"price":{"input":-1}`), "negative")
	f(model(`,"price":{"flex":{"output":-1}}`), "negative")
	f(model(`,"price":{"long":[{"above_tokens":5},{"above_tokens":5}]}`), "must rise")
	f(model("")+","+model(""), "stands twice")
	f(model(`,"aliases":[{"id":"a.b"}]`), "stands twice")
	f(model(`,"capabilities":["telepathy"]`), `"telepathy" is unknown`)
	f(model(`,"end_of_life":"soon"`), "no date")
	f(model(`,"profiles":{"moon":{}}`), `"moon" is not the geography`)
	f(model(`,"regions":{"nowhere":{}}`), `"nowhere" is not a region`)
	f(strings.Replace(model(""), `"chat"`, `"chatter"`, 1), `mode is "chatter"`)
	f(`{"id":"a b"}`, "is no id")
}

func TestEveryModelResolvesInEverySpelling(t *testing.T) {
	c := load(t)
	for _, m := range c.Models() {
		names := []string{m.ID, "bedrock/" + m.ID, "bedrock/converse/" + m.ID, "bedrock/us-west-2/" + m.ID, "arn:aws:bedrock:us-east-1::foundation-model/" + m.ID}
		for _, p := range m.Profiles() {
			names = append(names, p+"."+m.ID, "bedrock/"+p+"."+m.ID, "arn:aws:bedrock:us-east-1:123456789012:inference-profile/"+p+"."+m.ID)
		}
		for _, name := range names {
			ref, err := c.Resolve(name)
			if err != nil || ref.Model != m {
				t.Errorf("%s: got %v, %v", name, ref.Model, err)
			}
			if !c.Knows(name) && !strings.HasPrefix(name, "bedrock/") {
				t.Errorf("%s is not known", name)
			}
		}
	}
}

func TestResolve(t *testing.T) {
	c := load(t)
	const sonnet = "anthropic.claude-3-sonnet-20240229-v1:0"
	f := func(name, id, model string, route Route, forced bool, family, region, profile string) {
		t.Helper()
		ref, err := c.Resolve(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		got := ""
		if ref.Model != nil {
			got = ref.Model.ID
		}
		if ref.ID != id || got != model || ref.Route != route || ref.Forced != forced || ref.Family != family || ref.Region != region || ref.Profile != profile {
			t.Errorf("%s: got %+v (model %s)", name, ref, got)
		}
	}
	f("bedrock/"+sonnet, sonnet, sonnet, RouteConverse, false, "", "", "")
	f(sonnet, sonnet, sonnet, RouteConverse, false, "", "", "")
	f("bedrock/converse/us.amazon.nova-pro-v1:0", "us.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0", RouteConverse, true, "", "", "us")
	f("bedrock/invoke/"+sonnet, sonnet, sonnet, RouteInvoke, true, "", "", "")
	f("bedrock/us-west-2/"+sonnet, sonnet, sonnet, RouteConverse, false, "", "us-west-2", "")
	f("bedrock/converse/us-west-2/"+sonnet, sonnet, sonnet, RouteConverse, true, "", "us-west-2", "")
	f("bedrock/us-gov-west-1/invoke/"+sonnet, sonnet, sonnet, RouteInvoke, true, "", "us-gov-west-1", "")
	f("bedrock/foo.bar-v1", "foo.bar-v1", "", RouteConverse, false, "", "", "")
	f("bedrock/converse_like/some-model", "some-model", "", RouteConverseLike, true, "", "", "")
	f("bedrock/"+sonnet+"[1m]", sonnet, sonnet, RouteConverse, false, "", "", "")
	f("bedrock/anthropic.claude-v2:1:18k", "anthropic.claude-v2:1:18k", "anthropic.claude-v2:1", RouteConverse, false, "", "", "")
	arn := func(resource string) string { return "arn:aws:bedrock:eu-central-1:123456789012:" + resource }
	f("bedrock/"+arn("application-inference-profile/a0"), arn("application-inference-profile/a0"), "", RouteConverse, false, "", "eu-central-1", "")
	f("bedrock/llama/"+arn("imported-model/x"), arn("imported-model/x"), "", RouteInvoke, true, "llama", "eu-central-1", "")
	f("bedrock/mistral/"+arn("imported-model/x"), arn("imported-model/x"), "", RouteInvoke, true, "mistral", "eu-central-1", "")
	f("bedrock/nova-2/"+arn("custom-model-deployment/x"), arn("custom-model-deployment/x"), "", RouteConverse, true, "nova-2", "eu-central-1", "")
	f("bedrock/"+arn("custom-model/amazon.nova-lite-v1:0/x"), arn("custom-model/amazon.nova-lite-v1:0/x"), "amazon.nova-lite-v1:0", RouteConverse, false, "", "eu-central-1", "")
	f(arn("prompt-router/x"), arn("prompt-router/x"), "", RouteConverse, false, "", "eu-central-1", "")
	f(arn("inference-profile/eu.amazon.nova-lite-v1:0"), arn("inference-profile/eu.amazon.nova-lite-v1:0"), "amazon.nova-lite-v1:0", RouteConverse, false, "", "eu-central-1", "eu")
	f("bedrock/us-east-1/"+arn("provisioned-model/x"), arn("provisioned-model/x"), "", RouteConverse, false, "", "us-east-1", "")
	f("arn:aws:sagemaker:us-east-1:123456789012:endpoint/x", "arn:aws:sagemaker:us-east-1:123456789012:endpoint/x", "", RouteConverse, false, "", "us-east-1", "")

	if ref, err := c.Resolve("bedrock/" + sonnet + "[1m]"); err != nil || !ref.Beta1M {
		t.Errorf("[1m]: %+v, %v", ref, err)
	}
	if ref, err := c.ResolveWithBase(arn("provisioned-model/x"), sonnet); err != nil || ref.Model == nil || ref.Model.ID != sonnet {
		t.Errorf("base_model: %+v, %v", ref, err)
	}
	bad := func(name, want string) {
		t.Helper()
		if _, err := c.Resolve(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", name, err, want)
		}
	}
	bad("", "empty")
	bad("bedrock/", "empty")
	bad("bedrock/a b", "blank")
	bad("bedrock/a\x00b", "control character")
	bad(strings.Repeat("a", 3000), "too long")
	bad("bedrock/agentcore/x", "agentcore")
	bad("bedrock/async_invoke/x", "async_invoke")
	bad("bedrock/arn:aws:bedrock:us-east-1", "not an ARN")
	bad("arn:aws:s3:::bucket/x", `service "s3"`)
	bad("arn:aws:bedrock:nowhere:1:foundation-model/x", "not the region")
	bad("arn:aws:bedrock:us-east-1:1:foundation-model", "names no resource")
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
	if got := c.Nearest("zzzzzzzzzzzz", 3); len(got) != 0 {
		t.Errorf("far names: %v", got)
	}
}

func TestSupports(t *testing.T) {
	m := &Model{Capabilities: []string{"tools", "!vision"}}
	if m.Supports(Tools) != Yes || m.Supports(Vision) != No || m.Supports(Video) != Unknown || (*Model)(nil).Supports(Tools) != Unknown {
		t.Error("capabilities are misread")
	}
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{
		"bedrock/converse/us-west-2/anthropic.claude-v2:1", "arn:aws:bedrock:us-east-1:1:inference-profile/us.x", "llama/arn:aws:bedrock:us-east-1:1:imported-model/x",
		"a[1m]", "bedrock/", "////", "us.", "bedrock/bedrock/x:51k",
	} {
		f.Add(s)
	}
	c := load(f)
	f.Fuzz(func(t *testing.T, name string) {
		ref, err := c.Resolve(name)
		if err != nil {
			return
		}
		if ref.ID == "" || ref.Route == "" {
			t.Fatalf("%q: %+v", name, ref)
		}
		c.Price(ref, ref.Region)
		c.Knows(name)
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"schema":1,"version":"x","units":"u","models":[{"id":"a.b","price":{"input":1,"flex":null,"long":[{"above_tokens":1,"output":2}]},"profiles":{"us":{"factor":2}}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		Check(data)
		c, err := Parse(data)
		if err != nil {
			return
		}
		for _, m := range c.Models() {
			if ref, err := c.Resolve(m.ID); err == nil {
				c.Price(ref, "us-east-1")
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(embedded); err != nil {
			b.Fatal(err)
		}
	}
}

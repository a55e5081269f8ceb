package catalog

import (
	"strings"
	"testing"
)

func TestEveryModelResolvesInEverySpelling(t *testing.T) {
	c := load(t)
	for _, m := range c.Models() {
		names := []string{m.ID, m.ID + ":51k", m.ID + "[1m]", "converse/" + m.ID, "us-west-2/" + m.ID, "arn:aws:bedrock:us-east-1::foundation-model/" + m.ID}
		for _, p := range m.Profiles() {
			names = append(names, p+"."+m.ID, "arn:aws:bedrock:us-east-1:123456789012:inference-profile/"+p+"."+m.ID)
		}
		for _, a := range m.Aliases {
			names = append(names, strings.TrimPrefix(a.ID, "bedrock/"))
		}
		for _, bare := range names {
			for _, name := range []string{bare, "bedrock/" + bare} {
				ref, err := c.Resolve(name)
				if err != nil || ref.Model != m {
					t.Errorf("%s: got %v, %v", name, ref.Model, err)
				}
				if !c.Knows(name) {
					t.Errorf("%s is not known", name)
				}
				if want := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(bare, "converse/"), "us-west-2/"), "[1m]"); ref.ID != want && (ref.alias == nil || !ref.alias.Misspelt || ref.ID != m.ID) {
					t.Errorf("%s: the URL would hold %s, not %s", name, ref.ID, want)
				}
				if ref.Name != name {
					t.Errorf("%s: the name became %s", name, ref.Name)
				}
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
	f("bedrock/invoke/us-west-2/"+sonnet, sonnet, sonnet, RouteInvoke, true, "", "us-west-2", "")
	f("bedrock/invoke/us."+sonnet, "us."+sonnet, sonnet, RouteInvoke, true, "", "", "us")
	f("ca."+sonnet, "ca."+sonnet, sonnet, RouteConverse, false, "", "", "ca")
	f("bedrock/mistral.mistral-7b-instruct-v0:2", "mistral.mistral-7b-instruct-v0:2", "mistral.mistral-7b-instruct-v0:2", RouteInvoke, false, "", "", "")
	f("bedrock/chat_completions/us.xai.grok-4.7", "us.xai.grok-4.7", "xai.grok-4.7", RouteChatCompletions, true, "", "", "us")
	f("mantle/openai.gpt-oss-120b", "openai.gpt-oss-120b", "openai.gpt-oss-120b-1:0", RouteMantle, true, "", "", "")
	f("bedrock_mantle/us-gov-west-1/openai.gpt-oss-120b", "openai.gpt-oss-120b", "openai.gpt-oss-120b-1:0", RouteMantle, true, "", "us-gov-west-1", "")
	f("openai.gpt-oss-120b", "openai.gpt-oss-120b", "openai.gpt-oss-120b-1:0", RouteMantle, false, "", "", "")
	f("bedrock/invoke.me/converse/x", "invoke.me/converse/x", "", RouteConverse, false, "", "", "")
	f("bedrock/*", "*", "", RouteConverse, false, "", "", "")
	f("bedrock/foo.bar-v1", "foo.bar-v1", "", RouteConverse, false, "", "", "")
	f("bedrock/converse_like/some-model", "some-model", "", RouteConverseLike, true, "", "", "")
	f("bedrock/"+sonnet+"[1m]", sonnet, sonnet, RouteConverse, false, "", "", "")
	f("bedrock/anthropic.claude-v2:1:18k", "anthropic.claude-v2:1:18k", "anthropic.claude-v2:1", RouteConverse, false, "", "", "")
	arn := func(resource string) string { return "arn:aws:bedrock:eu-central-1:123456789012:" + resource }
	f("bedrock/"+arn("application-inference-profile/a0"), arn("application-inference-profile/a0"), "", RouteConverse, false, "", "eu-central-1", "")
	for _, word := range []string{
		"llama", "deepseek_r1", "qwen2", "qwen3", "openai", "moonshot", "mistral", "meta", "anthropic", "amazon", "cohere", "ai21", "twelvelabs",
	} {
		f("bedrock/"+word+"/"+arn("imported-model/x"), arn("imported-model/x"), "", RouteInvoke, true, word, "eu-central-1", "")
		f("bedrock/converse/us-east-1/"+word+"/"+arn("imported-model/x"), arn("imported-model/x"), "", RouteConverse, true, word, "us-east-1", "")
	}
	f("bedrock/nova/"+arn("custom-model-deployment/x"), arn("custom-model-deployment/x"), "", RouteConverse, true, "nova", "eu-central-1", "")
	f("bedrock/nova-2/"+arn("custom-model-deployment/x"), arn("custom-model-deployment/x"), "", RouteConverse, true, "nova-2", "eu-central-1", "")
	f("bedrock/"+arn("custom-model/amazon.nova-lite-v1:0/x"), arn("custom-model/amazon.nova-lite-v1:0/x"), "amazon.nova-lite-v1:0", RouteConverse, false, "", "eu-central-1", "")
	f(arn("default-prompt-router/anthropic.claude:1"), arn("default-prompt-router/anthropic.claude:1"), "", RouteConverse, false, "", "eu-central-1", "")
	f(arn("prompt/ABC:3"), arn("prompt/ABC:3"), "", RouteConverse, false, "", "eu-central-1", "")
	f("arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/"+sonnet, "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/"+sonnet, sonnet, RouteConverse, false, "", "us-gov-west-1", "")
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
	f2 := func(name, base, model, profile string, route Route) {
		t.Helper()
		ref, err := c.ResolveWithBase(name, base)
		if err != nil || ref.Model == nil || ref.Model.ID != model || ref.Profile != profile || ref.Route != route || ref.ID != name {
			t.Errorf("%s on %s: got %+v, %v", name, base, ref, err)
		}
	}
	for _, kind := range []string{"application-inference-profile/x", "provisioned-model/x", "custom-model-deployment/x", "imported-model/x", "prompt-router/x"} {
		f2(arn(kind), "bedrock/us."+sonnet, sonnet, "us", RouteConverse)
		f2(arn(kind), "us-east-1/"+sonnet, sonnet, "", RouteConverse)
		f2(arn(kind), "mistral.mistral-7b-instruct-v0:2", "mistral.mistral-7b-instruct-v0:2", "", RouteInvoke)
	}
	f2("arn:aws:sagemaker:us-east-1:123456789012:endpoint/x", sonnet, sonnet, "", RouteConverse)
	f2("my-own-name", arn("inference-profile/eu."+sonnet), sonnet, "eu", RouteConverse)
	f2("us."+sonnet, "amazon.nova-pro-v1:0", sonnet, "us", RouteConverse) // the name knows better

	a, err := ParseARN("arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:custom-model/amazon.nova-lite-v1:0/abc")
	if err != nil || *a != (ARN{"aws-us-gov", "bedrock", "us-gov-west-1", "123456789012", "custom-model", "amazon.nova-lite-v1:0/abc"}) {
		t.Errorf("got %+v, %v", a, err)
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
	bad("bedrock/converse/", "empty")
	bad("bedrock/[1m]", "empty")
	bad("bedrock/a\nb", "control character")
	for _, word := range []string{"agent", "agentcore", "async_invoke", "claude_platform"} {
		bad("bedrock/"+word+"/x", "the route "+word+"/")
		bad("bedrock/us-west-2/"+word+"/x", "the route "+word+"/")
	}
	bad("bedrock/converse/invoke/x", "two routes")
	bad("bedrock/us-west-2/us-east-1/x", "two regions")
	bad("bedrock/arn:aws:bedrock:us-east-1", "not an ARN")
	bad("arn:aws:s3:::bucket/x", `service "s3"`)
	bad("arn:aws:bedrock:nowhere:1:foundation-model/x", "not the region")
	bad("arn:aws:bedrock:us-east-1:1:foundation-model", "names no resource")
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{
		"bedrock/converse/us-west-2/anthropic.claude-v2:1", "arn:aws:bedrock:us-east-1:1:inference-profile/us.x", "llama/arn:aws:bedrock:us-east-1:1:imported-model/x",
		"a[1m]", "bedrock/", "////", "us.", "bedrock/bedrock/x:51k",
		"bedrock_mantle/x", "arn:aws:sagemaker:us-east-1:1:endpoint/x", "bedrock/moonshotai.kimi-k2.5", "invoke/us-west-2/qwen3/arn:aws:bedrock:us-west-2:1:prompt/A:1", "a\x00", "x[1m][1m]",
	} {
		f.Add(s)
	}
	c := load(f)
	f.Fuzz(func(t *testing.T, name string) {
		ref, err := c.Resolve(name)
		if err != nil {
			return
		}
		word, _, isPath := strings.Cut(ref.ID, "/")
		if ref.ID == "" || ref.Route == "" || !strings.HasSuffix(strings.TrimSuffix(name, "[1m]"), ref.ID) {
			t.Fatalf("%q: %+v", name, ref)
		}
		if isPath && (isRoute(word) || refusedRoute(word) || isRegion(word)) {
			t.Fatalf("%q: the id %q begins with a word of the path", name, ref.ID)
		}
		if strings.HasPrefix(ref.ID, "arn:") != (ref.ARN != nil) {
			t.Fatalf("%q: %+v", name, ref)
		}
		if ref.Model != nil { // as Price, without what it keeps from one input to the next: that would mislead the fuzzer
			priceBasis{ref.Model, ref.overrides(ref.Region)}.price()
		}
		c.Knows(name)
	})
}

func BenchmarkResolve(b *testing.B) {
	c := load(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Resolve("bedrock/us-west-2/us.anthropic.claude-sonnet-4-5-20250929-v1:0"); err != nil {
			b.Fatal(err)
		}
	}
}

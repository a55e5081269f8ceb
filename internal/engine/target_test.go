package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/router"
)

func TestUnknownModelsAreToldWhatThereIs(t *testing.T) {
	f := func(asked, want string, groups ...string) {
		t.Helper()
		var list []*router.Deployment
		for _, g := range groups {
			list = append(list, &router.Deployment{Group: g, Model: nova})
		}
		e := newBench(t, nil, list...)
		_, failed := e.Find(asked)
		if failed == nil || failed.Status() != 404 || failed.Code != "model_not_found" || failed.Param != "model" || !strings.Contains(failed.Message, want) {
			t.Errorf("%q: %+v", asked, failed)
		}
		if len(failed.Message) > 400 {
			t.Errorf("a message of %d bytes", len(failed.Message))
		}
	}
	f("sonet", "Did you mean sonnet?", "sonnet", "opus")
	f("zzzzzzzzzzzz", "There are a, b.", "a", "b")
	f(strings.Repeat("x", 10_000), "…", "a")
}

func TestWildcardsAreFilledIn(t *testing.T) {
	e := newBench(t, answer(plainAnswer), &router.Deployment{Group: "bedrock/*", Model: "bedrock/*"})
	for _, name := range []string{"bedrock/us.amazon.nova-pro-v1:0", "us.amazon.nova-pro-v1:0"} {
		call := said(name, "hi")
		if _, failed := e.Chat(t.Context(), call); failed != nil || call.ModelID != "us.amazon.nova-pro-v1:0" || call.Deployment.Group != "bedrock/*" || call.Request.Model != name {
			t.Errorf("%s: %+v %+v", name, failed, call.Deployment)
		}
		if _, known := call.CostUSD(); !known {
			t.Errorf("%s has no price", name)
		}
	}
	f := func(name, code string) {
		t.Helper()
		q, failed := e.query(name, modeChat)
		if failed == nil {
			_, failed = e.pick(said(name, "hi"), &q)
		}
		if failed == nil || failed.Code != code {
			t.Errorf("%s: %+v", name, failed)
		}
	}
	f("bedrock/amazon.titan-embed-text-v2:0", "invalid_model")
	f("bedrock/agentcore/x", "invalid_model")
	f("bedrock/invoke/arn:aws:bedrock:us-east-1:123456789012:imported-model/x", "invalid_model")
	f("bedrock/chat_completions/anthropic.claude-3-sonnet-20240229-v1:0", "unsupported_route")
	f("bedrock/messages/openai.gpt-oss-120b-1:0", "unsupported_route")
	f("bedrock/mantle/messages/openai.gpt-oss-120b", "unsupported_route")
	f("bedrock/responses/arn:aws:bedrock:us-east-1:123456789012:provisioned-model/x", "unsupported_route")
}

func TestTargetsAreKeptWithinBounds(t *testing.T) {
	e := newBench(t, nil, &router.Deployment{Group: "bedrock/*", Model: "bedrock/*"})
	first, failed := e.targetOf("bedrock/foo.bar-v1")
	if failed != nil {
		t.Fatal(failed)
	}
	if again, _ := e.targetOf("bedrock/foo.bar-v1"); again != first {
		t.Error("the target was made twice")
	}
	for i := range maxTargets + 100 {
		if _, failed := e.targetOf(fmt.Sprintf("bedrock/foo.bar-%d", i)); failed != nil {
			t.Fatal(failed)
		}
	}
	kept := 0
	e.targets.Range(func(any, any) bool { kept++; return true })
	if kept != maxTargets {
		t.Errorf("%d targets are kept", kept)
	}
}

func TestWarningsNameWhatAnOperatorShouldKnow(t *testing.T) {
	e := newBench(t, nil,
		&router.Deployment{Group: "good", Model: nova},
		&router.Deployment{Group: "unpriced", Model: "bedrock/foo.bar-v1"},
		&router.Deployment{Group: "priced", Model: "bedrock/foo.bar-v1", Prices: map[string]float64{"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}},
		&router.Deployment{Group: "embedding", Model: "bedrock/amazon.titan-embed-text-v2:0"},
		&router.Deployment{Group: "invoke", Model: "bedrock/invoke/us.amazon.nova-pro-v1:0"},
		&router.Deployment{Group: "opaque", Model: "bedrock/invoke/arn:aws:bedrock:us-east-1:123456789012:imported-model/x"},
		&router.Deployment{Group: "bedrock/*", Model: "bedrock/*"},
	)
	got := e.Warnings()
	f := func(id, want string) {
		t.Helper()
		if text := strings.Join(got[id], "; "); want == "" && text != "" || !strings.Contains(text, want) {
			t.Errorf("%s: %q", id, text)
		}
	}
	f("good-id", "")
	f("unpriced-id", "the price of foo.bar-v1 is unknown")
	f("priced-id", "")
	f("embedding-id", "")
	f("invoke-id", "")
	f("opaque-id", "it is not known which family of models is behind")
	f("bedrock/*-id", "")
	e.link.warning = "two regions"
	if text := strings.Join(e.Warnings()["good-id"], ""); text != "two regions" {
		t.Errorf("%q", text)
	}
	if list := e.PriceList(e.Deployments("priced")[0]); list["input_cost_per_token"] != 1e-6 || e.PriceList(e.Deployments("unpriced")[0]) != nil || e.PriceList(e.Deployments("bedrock/*")[0]) != nil {
		t.Errorf("prices %v", list)
	}
}

func TestModelIDReplacesTheModelInTheURLOnly(t *testing.T) {
	e := newBench(t, nil, &router.Deployment{Group: "m", Model: nova, ModelID: "arn:aws:bedrock:eu-west-1:123456789012:provisioned-model/x"})
	x, failed := e.Explain(t.Context(), said("m", "hi"))
	if failed != nil || !strings.HasSuffix(x.URL, "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Aprovisioned-model%2Fx/converse") || !strings.Contains(x.PriceKey, "nova-pro") {
		t.Errorf("%+v %+v", failed, x)
	}
}

func TestWhatIsBehindAWildcard(t *testing.T) {
	e := newBench(t, nil, &router.Deployment{Group: "m", Model: nova})
	f := func(wildcard string, with, without []string) {
		t.Helper()
		var names []string
		for _, l := range e.Behind(wildcard) {
			names = append(names, l.Name)
			want := "chat"
			for part, mode := range map[string]string{"embed": "embedding", "rerank": "rerank", "canvas": "image_generation", "titan-image": "image_generation", "stability.": "image_"} {
				if strings.Contains(l.Name, part) {
					want = mode
				}
			}
			if !strings.HasPrefix(l.Mode, want) {
				t.Errorf("%s: %s is %s", wildcard, l.Name, l.Mode)
			}
		}
		for _, name := range with {
			if !slices.Contains(names, name) {
				t.Errorf("%s: %s is missing", wildcard, name)
			}
		}
		for _, name := range without {
			if slices.Contains(names, name) {
				t.Errorf("%s: %s is listed", wildcard, name)
			}
		}
	}
	f("bedrock/*", []string{"bedrock/us.amazon.nova-pro-v1:0", "bedrock/amazon.nova-pro-v1:0", "bedrock/amazon.titan-embed-text-v2:0", "bedrock/cohere.rerank-v3-5:0", "bedrock/amazon.nova-canvas-v1:0"}, []string{"us.amazon.nova-pro-v1:0", "bedrock/amazon.nova-reel-v1:0"})
	f("us.anthropic.*", []string{"us.anthropic.claude-sonnet-4-5-20250929-v1:0"}, []string{"us.amazon.nova-pro-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0"})
	f("bedrock/*mythos-5", []string{"bedrock/us.anthropic.claude-mythos-5"}, []string{"bedrock/anthropic.claude-mythos-5"}) // can be called by a profile only
	f("m", nil, []string{"m"})
}

func TestWhatConverseRefusesIsRememberedForInvokeModel(t *testing.T) {
	e := newBench(t, nil, &router.Deployment{Group: "m", Model: "bedrock/foo.bar-v1"}, &router.Deployment{Group: "forced", Model: "bedrock/converse/foo.bar-v1"},
		&router.Deployment{Group: "opaque", Model: "bedrock/arn:aws:bedrock:us-east-1:123456789012:imported-model/x"})
	for _, name := range []string{"forced", "opaque"} {
		found, failed := e.targetOf(name)
		if failed != nil || e.onInvoke(found) != nil {
			t.Errorf("%s goes to InvokeModel (%v)", name, failed)
		}
	}
	first, failed := e.targetOf("m")
	if failed != nil || first.deployment.Ref.Route != catalog.RouteConverse {
		t.Fatalf("%v %+v", failed, first)
	}
	if next := e.onInvoke(first); next == nil || next.stream != "/model/foo.bar-v1/invoke-with-response-stream" {
		t.Fatalf("%+v", next)
	}
	if again, failed := e.targetOf("m"); failed != nil || again.deployment.Ref.Route != catalog.RouteInvoke || first.deployment.Ref.Route != catalog.RouteConverse {
		t.Errorf("%v: the next call goes to %s", failed, again.deployment.Ref.Route)
	}
}

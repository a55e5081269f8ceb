package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/deployment"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/llm"
)

// attributing is roleOf with an aws_attribution, "" for none.
func attributing(url, attribution string) string {
	if attribution != "" {
		attribution = "\n      aws_attribution: " + attribution + ","
	}
	return strings.Replace(roleOf(url, "chat"), "aws_external_id: canary-external,", attribution, 1)
}

func by(user string) string {
	return `{"model":"m","user":"` + user + `","messages":[{"role":"user","content":"hi"}]}`
}

// assumed returns the forms with which STS was asked for a role, in their order.
func assumed(t *testing.T, bedrock *sim.Server) []url.Values {
	t.Helper()
	var forms []url.Values
	for _, r := range bedrock.Requests() {
		if r.Path != "/" {
			continue
		}
		form, err := url.ParseQuery(string(r.Body))
		if err != nil {
			t.Fatal(err)
		}
		forms = append(forms, form)
	}
	return forms
}

func TestCallersAreNamedToAWS(t *testing.T) {
	bedrock, address := upstream(t, sim.Options{RecordLimit: 100})
	g := newRig(t, attributing(address, `{session_name: key, tags: {CostCenter: "4711", EndUser: from:end_user}}`), nil)
	for _, user := range []string{"ada", "bob", "ada"} {
		resp, body := g.post("/v1/chat/completions", by(user))
		if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Outcrop-Warning") != "" {
			t.Fatalf("%d %s %s", resp.StatusCode, resp.Header, body)
		}
		g.books.next(t)
	}
	forms := assumed(t, bedrock)
	if len(forms) != 2 {
		t.Fatalf("STS was asked %d times for two callers", len(forms))
	}
	for i, user := range []string{"ada", "bob"} {
		want := url.Values{
			"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {"arn:aws:iam::123456789012:role/chat"},
			"RoleSessionName":     {account.MasterKeyHash[:16]},
			"Tags.member.1.Key":   {"CostCenter"},
			"Tags.member.1.Value": {"4711"},
			"Tags.member.2.Key":   {"EndUser"},
			"Tags.member.2.Value": {user},
		}
		if got := forms[i].Encode(); got != want.Encode() {
			t.Errorf("\n got %s\nwant %s", got, want.Encode())
		}
	}
}

func TestEveryEndpointNamesItsCallers(t *testing.T) {
	bedrock, address := upstream(t, sim.Options{RecordLimit: 100})
	c := attributing(address, `{session_name: end_user, on_missing: refuse}`)
	c = strings.Replace(c, "litellm_params: {", "litellm_params: &params {", 1)
	c = strings.Replace(c, "general_settings", "  - model_name: e\n    litellm_params: {<<: *params, model: 'bedrock/amazon.titan-embed-text-v2:0'}\n"+
		"  - model_name: r\n    litellm_params: {<<: *params, model: 'bedrock/cohere.rerank-v3-5:0'}\ngeneral_settings", 1)
	g := newRig(t, c, nil)
	if resp, body := g.post("/v1/chat/completions", `{"model":"m","user":"ada","stream":true,"n":2,"messages":[{"role":"user","content":"hi"}]}`); resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, body := g.post("/v1/embeddings", `{"model":"e","user":"bob","input":["a","b"]}`); resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, body := g.post("/v1/rerank", `{"model":"r","user":"cyd","query":"a","documents":["a","b"]}`); resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	var names []string
	for _, form := range assumed(t, bedrock) {
		names = append(names, form.Get("RoleSessionName"))
	}
	if strings.Join(names, " ") != "ada bob cyd" {
		t.Errorf("sessions %v", names)
	}
}

func TestNobodyIsNamedUnlessAskedFor(t *testing.T) {
	bedrock, address := upstream(t, sim.Options{RecordLimit: 100})
	g := newRig(t, attributing(address, ""), nil)
	for _, user := range []string{"ada", "bob"} {
		if resp, body := g.post("/v1/chat/completions", by(user)); resp.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	forms := assumed(t, bedrock)
	if len(forms) != 1 || !strings.HasPrefix(forms[0].Get("RoleSessionName"), "outcrop-") || forms[0].Has("Tags.member.1.Key") {
		t.Errorf("%v", forms)
	}
}

func TestCallsThatCannotBeNamed(t *testing.T) {
	f := func(attribution string, bodies []string, status int, code, warning string, sessions int) {
		t.Helper()
		bedrock, address := upstream(t, sim.Options{RecordLimit: 100})
		g := newRig(t, attributing(address, attribution), nil)
		var resp *http.Response
		var body string
		for _, b := range bodies {
			resp, body = g.post("/v1/chat/completions", b)
			g.books.next(t)
		}
		if resp.StatusCode != status || code != "" && !strings.Contains(body, `"`+code+`"`) || resp.Header.Get("X-Outcrop-Warning") != warning {
			t.Errorf("%s: %d %q %s", attribution, resp.StatusCode, resp.Header.Get("X-Outcrop-Warning"), body)
		}
		if status == http.StatusForbidden && !strings.Contains(body, `"permission_error"`) {
			t.Errorf("%s: %s", attribution, body)
		}
		if n := len(assumed(t, bedrock)); n != sessions {
			t.Errorf("%s: STS was asked %d times, want %d", attribution, n, sessions)
		}
		told := 0
		if warning != "" {
			told = 1
		}
		if n := strings.Count(g.logs.String(), "the call is booked to the deployment"); n != told {
			t.Errorf("%s: the log warns %d times", attribution, n)
		}
	}
	nobody, nobodyStreams := greeting, strings.Replace(greeting, `"model"`, `"stream":true,"model"`, 1)
	const lacks = "aws_attribution: the caller has no end_user; the call is booked to the deployment"
	const full = "aws_attribution: there are as many sessions as there may be; the call is booked to the deployment"
	f(`{session_name: end_user}`, []string{nobody, nobody}, 200, "", lacks, 1)
	f(`{session_name: end_user}`, []string{nobodyStreams}, 200, "", lacks, 1)
	f(`{tags: {U: "from:end_user"}, on_missing: shared}`, []string{nobody}, 200, "", lacks, 1)
	f(`{session_name: end_user, on_missing: refuse}`, []string{nobody}, 403, "attribution_required", "", 0)
	f(`{tags: {T: "from:team"}, on_missing: refuse}`, []string{by("ada")}, 403, "attribution_required", "", 0)
	f(`{session_name: end_user, max_sessions: 2}`, []string{by("ada"), by("bob"), by("cyd"), by("cyd")}, 200, "", full, 3)
	f(`{session_name: end_user, max_sessions: 2, on_missing: refuse}`, []string{by("ada"), by("bob"), by("cyd")}, 503, "attribution_capacity", "", 2)
	f(`{session_name: end_user, max_sessions: 2, on_missing: refuse}`, []string{by("ada"), by("bob"), by("cyd"), by("ada")}, 200, "", "", 2)
}

// TestManyRequestsOfOneCaller sends 1,000 requests at once.
func TestManyRequestsOfOneCaller(t *testing.T) {
	bedrock, address := upstream(t, sim.Options{RecordLimit: 1 << 12})
	g := newRig(t, attributing(address, `{session_name: end_user}`), func(o *Options) { o.DebugBodies = false })
	var wg sync.WaitGroup
	slots := make(chan struct{}, 200) // of file descriptors
	for range 1000 {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if resp, body := g.post("/v1/chat/completions", by("ada")); resp.StatusCode != http.StatusOK {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
	wg.Wait()
	if forms := assumed(t, bedrock); len(forms) != 1 {
		t.Errorf("STS was asked %d times", len(forms))
	}
}

// TestWhoTheCallerIs takes the names from where virtual keys will put them.
func TestWhoTheCallerIs(t *testing.T) {
	bedrock, address := upstream(t, sim.Options{RecordLimit: 100})
	c, problems := config.Parse("config.yaml", []byte(attributing(address,
		`{session_name: user, tags: {Team: "from:team", Alias: "from:key_alias", Key: "from:key", EndUser: "from:end_user"}}`)), noEnv)
	if config.HasErrors(problems) {
		t.Fatal(problems)
	}
	cat, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	pool := identity.NewPool(noEnv)
	t.Cleanup(pool.Close)
	table, err := deployment.NewTable(c, deployment.Options{Catalog: cat, Pool: pool, Env: noEnv, UserAgent: "outcrop/test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	e := engine.New(engine.Options{Catalog: cat, Router: table.Router, Connections: table.Connections})
	call := &engine.Call{
		Caller:  account.Caller{KeyHash: strings.Repeat("0123456789abcdef", 4), KeyAlias: "ci", TeamID: "research", UserID: "ada@corp"},
		Request: &llm.Request{Model: "m", User: "u-1", Messages: []llm.Message{{Role: llm.RoleUser, Blocks: []llm.Block{{Kind: llm.BlockText, Text: llm.NewText("hi")}}}}},
	}
	if _, failed := e.Chat(t.Context(), call); failed != nil {
		t.Fatal(failed)
	}
	form := assumed(t, bedrock)[0]
	got := form.Get("RoleSessionName")
	for i := 1; form.Has(fmt.Sprintf("Tags.member.%d.Key", i)); i++ {
		got += " " + form.Get(fmt.Sprintf("Tags.member.%d.Key", i)) + "=" + form.Get(fmt.Sprintf("Tags.member.%d.Value", i))
	}
	if want := "ada@corp Alias=ci EndUser=u-1 Key=0123456789abcdef Team=research"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestAModelWithoutConverseIsLearntOnce: what one caller's call finds out goes for all.
func TestAModelWithoutConverseIsLearntOnce(t *testing.T) {
	bedrock, address := upstream(t, sim.Options{RecordLimit: 100, Scenario: &sim.Scenario{Rules: []sim.Rule{{
		Match: sim.Match{Operation: "converse"}, Fault: &sim.Fault{Name: "validation", Message: "This action doesn't support the model that you provided. Try again with a supported text or chat model."},
	}}}})
	g := newRig(t, attributing(address, `{session_name: end_user}`), nil)
	for _, user := range []string{"ada", "bob"} {
		if resp, body := g.post("/v1/chat/completions", by(user)); resp.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	tried := 0
	for _, r := range bedrock.Requests() {
		if r.Operation == "Converse" {
			tried++
		}
	}
	if tried != 1 {
		t.Errorf("Converse was tried %d times", tried)
	}
}

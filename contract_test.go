package outcrop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/smithy-go/auth/bearer"

	"github.com/outcrop-ai/outcrop"
	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/llm"
)

const (
	nova   = "bedrock/amazon.nova-lite-v1:0"
	claude = "bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0"
)

// noEnv is an environment without variables.
func noEnv(string) (string, bool) { return "", false }

// simulated starts a simulated Bedrock of a test's own.
func simulated(t testing.TB, o sim.Options) (*sim.Server, string) {
	t.Helper()
	s := sim.New(o)
	address, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, address
}

// client returns a client of a simulated Bedrock, in an empty environment.
func client(t testing.TB, address string, options ...outcrop.Option) *outcrop.Client {
	t.Helper()
	c, err := outcrop.New(t.Context(), append([]outcrop.Option{
		outcrop.WithEnvironment(noEnv), outcrop.WithRegion("us-east-1"), outcrop.WithEndpoint(address), outcrop.WithRetries(0),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// keys is the identity that a simulated Bedrock knows.
func keys() outcrop.Option { return outcrop.WithStaticKeys(sim.AccessKeyID, sim.SecretAccessKey, "") }

func refusal(t testing.TB, err error) *llm.Error {
	t.Helper()
	var failed *llm.Error
	if !errors.As(err, &failed) {
		t.Fatalf("%v is no *llm.Error", err)
	}
	return failed
}

func TestTheZeroClientWorks(t *testing.T) {
	var c outcrop.Client
	defer c.Close()
	r, err := c.Chat(t.Context(), llm.Ask(nova, "hi")) // the environment of TestMain
	if err != nil || r.Text() != "You said: hi" {
		t.Errorf("%+v, %v", r, err)
	}
	var closed outcrop.Client
	_ = closed.Close()
	if _, err := closed.Chat(t.Context(), llm.Ask(nova, "hi")); err == nil {
		t.Error("a closed client answers")
	}
}

// A hundred goroutines use one client with one request.
func TestOneClientServesManyGoroutines(t *testing.T) {
	_, address := simulated(t, sim.Options{})
	c := client(t, address, keys(), outcrop.WithObserver(func(context.Context, llm.Call) {}))
	req := llm.Ask(claude, "hi", llm.ImageBytes(png, ""))
	req.System = llm.System("be terse")
	req.Metadata = llm.Metadata(map[string]string{"a": "b"})
	req.Extra = llm.Extra(map[string]any{"foo": 1})
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			own := req
			own.Messages = append(own.Messages[:1:1], llm.Assistant("yes?"), llm.User(fmt.Sprint("number ", i)))
			want := fmt.Sprint("You said: number ", i)
			if i%2 == 0 {
				r, err := c.Chat(context.Background(), own)
				if err != nil || r.Text() != want {
					t.Errorf("%v, %v", r, err)
				}
				return
			}
			r, err := llm.Collect(c.ChatStream(context.Background(), own))
			if err != nil || r.Text() != want || r.RequestID == "" || !r.Cost.Known() {
				t.Errorf("%v, %v", r, err)
			}
		}()
	}
	wg.Wait()
}

// A stream is left, cancelled or out of time before, at and after each of its events: its upstream call ends, and
// TestMain's look for goroutines finds none.
func TestStreamsEndAtEveryPosition(t *testing.T) {
	_, address := simulated(t, sim.Options{ChunkSize: 4})
	var mu sync.Mutex
	var calls []llm.Call
	c := client(t, address, keys(), outcrop.WithObserver(func(_ context.Context, call llm.Call) {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, call)
	}))
	req := llm.Ask(claude, "a text of some length")
	total := 0
	for _, err := range c.ChatStream(t.Context(), req) {
		if err != nil {
			t.Fatal(err)
		}
		total++
	}
	if total < 8 {
		t.Fatalf("only %d events", total)
	}
	for at := range total {
		n := 0
		for range c.ChatStream(t.Context(), req) {
			if n == at {
				break
			}
			n++
		}
		ctx, cancel := context.WithCancel(t.Context())
		n = 0
		var last error
		for _, err := range c.ChatStream(ctx, req) {
			if last = err; n == at {
				cancel()
			}
			n++
		}
		cancel()
		if last != nil && refusal(t, last).Kind != llm.KindCanceled {
			t.Errorf("cancelled at %d: %v", at, last)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(calls) != 1+2*total {
		t.Errorf("%d calls were observed, not %d", len(calls), 1+2*total)
	}
	for _, call := range calls[1 : len(calls)-2] {
		if call.Err == nil && !call.Abandoned && call.Usage.Output == 0 {
			t.Errorf("%+v", call)
		}
	}
}

// The deadline of a context ends a stream that hangs behind any of its events.
func TestDeadlinesAtEveryPosition(t *testing.T) {
	_, address := simulated(t, sim.Options{ChunkSize: 4})
	c := client(t, address, keys())
	for at := range 8 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		r, err := llm.Collect(c.ChatStream(ctx, llm.Ask(claude, fmt.Sprintf("[[fault:stall-stream;after=%d]] a text of some length", at))))
		if failed := refusal(t, err); failed.Kind != llm.KindGatewayTimeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("behind %d events, %q: %v", at, r.Text(), err)
		}
		cancel()
	}
}

// A time-out is an error of its own kind at each position: before the answer, before its first event, between two.
func TestTimeoutsAtEveryPosition(t *testing.T) {
	for name, o := range map[string]sim.Options{
		"the answer": {Latency: time.Hour}, "the first event": {FirstEvent: time.Hour}, "the next event": {ChunkDelay: time.Hour},
	} {
		_, address := simulated(t, o)
		c := client(t, address, keys())
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := llm.Collect(c.ChatStream(ctx, llm.Ask(claude, "hi")))
		if failed := refusal(t, err); failed.Kind != llm.KindGatewayTimeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for %s: %v", name, err)
		}
		cancel()
		limited := client(t, address, keys(), outcrop.WithTimeout(50*time.Millisecond))
		if o.ChunkDelay > 0 { // the time-out of a client bounds the first event
			continue
		}
		_, err = llm.Collect(limited.ChatStream(t.Context(), llm.Ask(claude, "hi")))
		if failed := refusal(t, err); failed.Kind != llm.KindTimeout && failed.Kind != llm.KindGatewayTimeout {
			t.Errorf("waiting for %s with WithTimeout: %v", name, err)
		}
	}
	_, address := simulated(t, sim.Options{Latency: time.Hour})
	c := client(t, address, keys())
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err := c.Chat(ctx, llm.Ask(nova, "hi")); refusal(t, err).Kind != llm.KindCanceled {
		t.Errorf("%v", err)
	}
}

func TestInvokeStreamsEndAtEveryPosition(t *testing.T) {
	_, address := simulated(t, sim.Options{})
	c := client(t, address, keys())
	r := llm.InvokeRequest{Model: claude, Body: []byte(`{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`)}
	total := 0
	for _, err := range c.InvokeStream(t.Context(), r) {
		if err != nil {
			t.Fatal(err)
		}
		total++
	}
	for at := range total {
		n := 0
		for _, err := range c.InvokeStream(t.Context(), r) {
			if err != nil {
				t.Fatal(err)
			}
			if n == at {
				break
			}
			n++
		}
	}
	r.Body = []byte(`{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"[[fault:stream-throttle]] hi"}]}`)
	for _, err := range c.InvokeStream(t.Context(), r) {
		if err != nil && refusal(t, err).RequestID == "" {
			t.Errorf("%v", err)
		}
	}
}

// scopes are who signed the calls of a simulated Bedrock, for which region.
func scopes(s *sim.Server) string {
	var list []string
	for _, r := range s.Requests() {
		_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		parts := strings.Split(scope, "/")
		if len(parts) < 3 {
			parts = []string{r.Header.Get("Authorization"), "", "-"}
		}
		list = append(list, parts[0]+"@"+parts[2])
	}
	return strings.Join(list, " ")
}

// countingTransport counts what goes through it.
type countingTransport struct {
	mu sync.Mutex
	n  int
	http.Transport
}

func (c *countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	return c.Transport.RoundTrip(r)
}

// An external client's credentials, region, endpoint and HTTP client are used, and nothing of the environment's.
func TestExternalClientsAreTaken(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{
			"AWS_ACCESS_KEY_ID": "AKIAENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-west-1", "AWS_BEDROCK_RUNTIME_ENDPOINT": "http://127.0.0.1:1",
		}[name]
		return v, ok
	}
	f := func(taken func(address string, h *http.Client) outcrop.Option, want string) {
		t.Helper()
		s, address := simulated(t, sim.Options{Auth: sim.AuthOff})
		through := &countingTransport{}
		defer through.CloseIdleConnections()
		c, err := outcrop.New(t.Context(), outcrop.WithEnvironment(env), outcrop.WithRetries(0), taken(address, &http.Client{Transport: through}))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Chat(t.Context(), llm.Ask(nova, "hi")); err != nil {
			t.Fatal(err)
		}
		if r, err := llm.Collect(c.ChatStream(t.Context(), llm.Ask(nova, "hi"))); err != nil || r.Text() != "You said: hi" {
			t.Fatal(r, err)
		}
		if got := scopes(s); got != want+" "+want || through.n != 2 {
			t.Errorf("%s, want %s; %d calls went through the HTTP client", got, want, through.n)
		}
	}
	static := credentials.NewStaticCredentialsProvider("AKIAEXTERNALCLIENT00", "secret", "token")
	tokens := bearer.StaticTokenProvider{Token: bearer.Token{Value: "external-token"}}
	f(func(address string, h *http.Client) outcrop.Option {
		return outcrop.WithBedrockRuntime(bedrockruntime.New(bedrockruntime.Options{Region: "eu-west-3", Credentials: static, BaseEndpoint: &address, HTTPClient: h}))
	}, "AKIAEXTERNALCLIENT00@eu-west-3")
	f(func(address string, h *http.Client) outcrop.Option {
		return outcrop.WithAWSConfig(aws.Config{Region: "eu-west-3", Credentials: static, BaseEndpoint: &address, HTTPClient: h})
	}, "AKIAEXTERNALCLIENT00@eu-west-3")
	f(func(address string, h *http.Client) outcrop.Option {
		return outcrop.WithBedrockRuntime(bedrockruntime.New(bedrockruntime.Options{
			Region: "eu-west-3", BearerAuthTokenProvider: tokens, AuthSchemePreference: []string{"httpBearerAuth"}, BaseEndpoint: &address, HTTPClient: h,
		}))
	}, "Bearer external-token@-")
}

// Two clients in one process go as two roles, which each assumes for itself.
func TestTwoClientsTwoRoles(t *testing.T) {
	s, address := simulated(t, sim.Options{})
	f := func(role string) *outcrop.Client {
		return client(t, address, keys(), outcrop.WithSTSEndpoint(address), outcrop.WithAssumeRole("arn:aws:iam::123456789012:role/"+role, "session-of-"+role))
	}
	first, second := f("first"), f("second")
	for _, c := range []*outcrop.Client{first, second, first, second} {
		if _, err := c.Chat(t.Context(), llm.Ask(nova, "hi")); err != nil {
			t.Fatal(err)
		}
	}
	assumed := map[string]int{}
	ids := map[string]int{}
	for _, r := range s.Requests() {
		if r.Path == "/" {
			for _, role := range []string{"first", "second"} {
				if strings.Contains(string(r.Body), "role%2F"+role) && strings.Contains(string(r.Body), "session-of-"+role) {
					assumed[role]++
				}
			}
			continue
		}
		_, id, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		id, _, _ = strings.Cut(id, "/")
		ids[id]++
	}
	if assumed["first"] != 1 || assumed["second"] != 1 || len(ids) != 2 {
		t.Errorf("roles %v, keys %v", assumed, ids)
	}
}

// The environment is read by New alone.
func TestTheEnvironmentIsReadOnce(t *testing.T) {
	s, address := simulated(t, sim.Options{Auth: sim.AuthOff})
	t.Setenv("AWS_ENDPOINT_URL", address)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIABEFORE0000000000")
	c, err := outcrop.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAAFTER00000000000")
	t.Setenv("AWS_REGION_NAME", "eu-west-1")
	if _, err := c.Chat(t.Context(), llm.Ask(nova, "hi")); err != nil {
		t.Fatal(err)
	}
	if got := scopes(s); got != "AKIABEFORE0000000000@us-east-1" {
		t.Errorf("%s", got)
	}
}

func TestRequestsGoAsTheirIdentity(t *testing.T) {
	s, address := simulated(t, sim.Options{Auth: sim.AuthOff})
	c := client(t, address, keys())
	for _, who := range []*llm.Identity{
		nil,
		{BearerToken: "of-the-request"},
		{AccessKeyID: "AKIAOFTHEREQUEST0000", SecretAccessKey: "x", Region: "eu-west-1"},
		{Region: "ap-south-1"},
	} {
		req := llm.Ask(nova, "hi")
		req.Identity = who
		if _, err := c.Chat(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	want := sim.AccessKeyID + "@us-east-1 Bearer of-the-request@- AKIAOFTHEREQUEST0000@eu-west-1 " + sim.AccessKeyID + "@ap-south-1"
	if got := scopes(s); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	other, elsewhere := simulated(t, sim.Options{Auth: sim.AuthOff})
	req := llm.Ask(nova, "hi")
	req.Identity = &llm.Identity{Endpoint: elsewhere}
	if _, err := c.Chat(t.Context(), req); err != nil || len(other.Requests()) != 1 {
		t.Errorf("%v, %d calls", err, len(other.Requests()))
	}
	req.Identity = &llm.Identity{AccessKeyID: "half"}
	if _, err := c.Chat(t.Context(), req); refusal(t, err).Kind != llm.KindInvalid {
		t.Errorf("%v", err)
	}
}

func TestHeadersOfRequests(t *testing.T) {
	s, address := simulated(t, sim.Options{Auth: sim.AuthOff})
	c := client(t, address, keys(), outcrop.WithHeader("X-Of-Client", "1"))
	req := llm.Ask(claude, "hi")
	req.Headers = map[string]string{"x-of-request": "2", "anthropic-beta": "output-128k-2025-02-19"}
	if _, err := c.Chat(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	got := s.Requests()[0]
	if got.Header.Get("X-Of-Client") != "1" || got.Header.Get("X-Of-Request") != "2" || !strings.Contains(string(got.Body), "output-128k-2025-02-19") {
		t.Errorf("%v %s", got.Header, got.Body)
	}
	req.Headers = map[string]string{"authorization": "Bearer x"}
	if _, err := c.Chat(t.Context(), req); refusal(t, err).Param != "Headers" {
		t.Errorf("%v", err)
	}
}

func TestNothingIsLoggedUnlessAsked(t *testing.T) {
	_, address := simulated(t, sim.Options{})
	var out strings.Builder
	c := client(t, address, keys(), outcrop.WithLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	if _, err := c.Chat(t.Context(), llm.Ask(nova, "hello there")); err != nil {
		t.Fatal(err)
	}
	if log := out.String(); !strings.Contains(log, "upstream request") || !strings.Contains(log, "amazon.nova-lite-v1:0") || strings.Contains(log, sim.SecretAccessKey) {
		t.Errorf("%s", log)
	}
}

func TestObserversGetOneRecordForEachCall(t *testing.T) {
	_, address := simulated(t, sim.Options{})
	type key struct{}
	var calls []llm.Call
	c := client(t, address, keys(), outcrop.WithObserver(func(ctx context.Context, call llm.Call) {
		if ctx.Value(key{}) != "here" {
			t.Error("the context is another")
		}
		calls = append(calls, call)
	}))
	ctx := context.WithValue(t.Context(), key{}, "here")
	req := llm.Ask(nova, "hi")
	req.User, req.Tags = "ada", []string{"x"}
	_, _ = c.Chat(ctx, req)
	_, _ = c.Chat(ctx, llm.Ask("no such model", "hi"))
	_, _ = llm.Collect(c.ChatStream(ctx, req))
	_, _ = c.Embed(ctx, llm.EmbedRequest{Model: "amazon.titan-embed-text-v2:0", Inputs: []string{"a"}})
	got := ""
	for _, call := range calls {
		if call.Start.IsZero() || call.End.Before(call.Start) || call.ID == "" {
			t.Errorf("%+v", call)
		}
		got += fmt.Sprint(call.Verb, " ", call.Usage.Sum() > 0, " ", call.Cost.Known(), " ", call.Err != nil, " ", call.User, "; ")
	}
	if want := "Chat true true false ada; Chat false false true ; ChatStream true true false ada; Embed true true false ; "; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestRequestsAreChecked(t *testing.T) {
	_, address := simulated(t, sim.Options{})
	c := client(t, address, keys())
	f := func(change func(*llm.Request), param string) {
		t.Helper()
		req := llm.Ask(nova, "hi")
		change(&req)
		_, err := c.Chat(t.Context(), req)
		if failed := refusal(t, err); failed.Kind != llm.KindInvalid || failed.Param != param {
			t.Errorf("%+v, want a refusal of %s", failed, param)
		}
		for _, err := range c.ChatStream(t.Context(), req) {
			if refusal(t, err).Param != param {
				t.Errorf("stream: %v", err)
			}
		}
	}
	nan := 0.0
	nan /= nan
	block := func(b llm.Block) func(*llm.Request) {
		return func(r *llm.Request) { r.Messages = append(r.Messages, llm.User("", b)) }
	}
	f(func(r *llm.Request) { r.Model = "" }, "model")
	f(func(r *llm.Request) { r.Messages = nil }, "messages")
	f(func(r *llm.Request) { r.Messages[0].Role = 9 }, "messages[0].role")
	f(func(r *llm.Request) { r.Temperature = &nan }, "temperature")
	f(func(r *llm.Request) { r.TopP = &nan }, "top_p")
	f(func(r *llm.Request) { r.MaxTokens = llm.Int(0) }, "max_tokens")
	f(func(r *llm.Request) { r.TopK = llm.Int(-1) }, "top_k")
	f(func(r *llm.Request) { r.Extra = llm.Extra(map[string]any{"x": func() {}}) }, "extra.x")
	f(func(r *llm.Request) {
		r.Extra = []llm.Field{{Name: "x", Value: []byte("1")}, {Name: "x", Value: []byte("2")}}
	}, "extra.x")
	f(func(r *llm.Request) { r.Params = []llm.Field{{Name: "seed", Value: []byte("}")}} }, "params.seed")
	f(func(r *llm.Request) { r.Tools = []llm.Tool{{Name: "f", Schema: []byte("[]")}} }, "tools[0].schema")
	f(func(r *llm.Request) { r.Tools = []llm.Tool{{}} }, "tools[0].name")
	f(func(r *llm.Request) { r.Format = llm.JSONSchema("x", []byte("{")) }, "format.schema")
	f(func(r *llm.Request) { r.Thinking = []byte("7") }, "thinking")
	f(func(r *llm.Request) { r.Guardrail = []byte("7") }, "guardrail")
	f(func(r *llm.Request) { r.Retries = new(int); *r.Retries = -1 }, "Retries")
	f(block(llm.Block{Kind: llm.BlockImage}), "messages[1].content[0]")
	f(block(llm.ImageBytes([]byte("no image"), "png")), "messages[1].content[0]")
	f(block(llm.ImageURL("ftp://x")), "messages[1].content[0]")
	f(block(llm.ImageURL("data:image/png;base64,!")), "messages[1].content[0]")
	f(block(llm.ImageURL("http://127.0.0.1/x.png")), "messages[1].content[0]")
	f(block(llm.DocumentBytes(nil, "pdf", "")), "messages[1].content[0]")
	f(block(llm.DocumentBytes([]byte("x"), "exe", "")), "messages[1].content[0]")
	f(block(llm.Block{Kind: llm.BlockImage, Media: &llm.Media{URL: "https://x", S3: "s3://x"}}), "messages[1].content[0]")
	f(block(llm.Block{Kind: llm.BlockToolUse}), "messages[1].content[0]")
	f(block(llm.Block{Kind: llm.BlockToolUse, Tool: &llm.ToolBlock{Name: "f", Input: []byte("{")}}), "messages[1].content[0]")
	f(block(llm.Block{Kind: llm.BlockToolResult, Tool: &llm.ToolBlock{Result: []llm.Block{{Kind: 99}}}}), "messages[1].content[0]")
	f(block(llm.Block{Kind: llm.BlockOther, Raw: []byte("{")}), "messages[1].content[0]")
	f(block(llm.Block{Kind: 99}), "messages[1].content[0]")
	f(func(r *llm.Request) { r.System = []llm.Block{{Kind: 99}} }, "system[0]")
}

func TestOptionsAreChecked(t *testing.T) {
	f := func(param string, options ...outcrop.Option) {
		t.Helper()
		c, err := outcrop.New(t.Context(), options...)
		if c != nil || refusal(t, err).Param != param {
			t.Errorf("%v, want a refusal of %s", err, param)
		}
	}
	f("WithStaticKeys", outcrop.WithBearerToken("x"), keys())
	f("WithAssumeRole", outcrop.WithBearerToken("x"), outcrop.WithAssumeRole("arn:aws:iam::1:role/x", ""))
	f("WithRetries", outcrop.WithRetries(-1))
	f("WithConfig", outcrop.WithConfig("no such file"))
	f("WithDeployments[0]", outcrop.WithDeployments(outcrop.Deployment{Name: "x"}))
	f("WithDeployments[0].Model", outcrop.WithDeployments(outcrop.Deployment{Name: "x", Model: "a b"}))
	f("WithDeployments", outcrop.WithDeployments(outcrop.Deployment{Name: "x", Model: nova, ID: "1"}, outcrop.Deployment{Name: "y", Model: nova, ID: "1"}))
	f("", outcrop.WithStaticKeys("AKID", "", ""))
}

// Calls of one name go on at the other deployment, then at the model that stands in.
func TestDeploymentsAndFallbacks(t *testing.T) {
	_, address := simulated(t, sim.Options{})
	c := client(t, address, keys(), outcrop.WithRetries(2), outcrop.WithFallbacks("broken", nova), outcrop.WithDeployments(
		outcrop.Deployment{Name: "two", ID: "first", Model: nova, ModelID: "amazon.nova-lite-v1:0.fault-internal", Region: "us-east-1", Order: 1},
		outcrop.Deployment{Name: "two", ID: "second", Model: nova, Region: "eu-west-1", Order: 2, RPM: 100, TPM: 10_000, MaxParallel: 5, Weight: 2},
		outcrop.Deployment{Name: "broken", ID: "third", Model: nova, ModelID: "amazon.nova-lite-v1:0.fault-validation"},
	))
	r, err := c.Chat(t.Context(), llm.Ask("two", "hi"))
	if err != nil || r.Deployment != "second" || r.Region != "eu-west-1" || r.Retries != 1 || r.Fallback != "" {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = llm.Collect(c.ChatStream(t.Context(), llm.Ask("two", "hi")))
	if err != nil || r.Deployment != "second" || r.Text() != "You said: hi" {
		t.Errorf("%+v, %v", r, err)
	}
	req := llm.Ask("two", "hi")
	req.Retries, req.Fallbacks = new(int), []string{nova} // not tried again, but passed on
	req.Regions = []string{"us"}
	r, err = c.Chat(t.Context(), req)
	if err != nil || r.Fallback != nova {
		t.Errorf("%+v, %v", r, err)
	}
	req.NoFallbacks = true
	if _, err := c.Chat(t.Context(), req); err == nil {
		t.Error("a model that fails answers")
	}
	names, err := c.Names(t.Context())
	if err != nil || strings.Join(names, " ") != "bedrock/* two broken" {
		t.Errorf("%v, %v", names, err)
	}
}

// What goes wrong with the other verbs is an error of the same type.
func TestTheOtherVerbsAreChecked(t *testing.T) {
	_, address := simulated(t, sim.Options{})
	c := client(t, address, keys())
	ctx := t.Context()
	f := func(err error, param string) {
		t.Helper()
		if failed := refusal(t, err); failed.Kind != llm.KindInvalid || failed.Param != param {
			t.Errorf("%+v, want a refusal of %s", failed, param)
		}
	}
	_, err := c.Complete(ctx, llm.Continue(nova))
	f(err, "prompts")
	_, err = c.Complete(ctx, llm.Continue(nova, " "))
	f(err, "prompts")
	_, err = c.Complete(ctx, llm.Completion{Request: llm.Ask(nova, "x"), Prompts: []string{"y"}})
	f(err, "messages")
	_, err = llm.Collect(c.CompleteStream(ctx, llm.Continue(nova)))
	f(err, "prompts")
	_, err = c.Embed(ctx, llm.EmbedRequest{Model: "amazon.titan-embed-text-v2:0"})
	f(err, "inputs")
	_, err = c.Embed(ctx, llm.EmbedRequest{Model: "amazon.titan-embed-text-v2:0", Inputs: []string{""}})
	f(err, "input[0]")
	_, err = c.Embed(ctx, llm.EmbedRequest{Model: "amazon.titan-embed-text-v2:0", Inputs: []string{"a"}, Contents: [][]llm.Block{{llm.TextBlock("b")}}})
	f(err, "contents")
	_, err = c.Embed(ctx, llm.EmbedRequest{Model: "amazon.titan-embed-text-v2:0", Inputs: []string{"a"}, Dimensions: -1})
	f(err, "dimensions")
	_, err = c.GenerateImage(ctx, llm.ImageRequest{Model: "amazon.nova-canvas-v1:0", Prompt: "x", N: 11})
	f(err, "n")
	_, err = c.GenerateImage(ctx, llm.ImageRequest{Model: "amazon.nova-canvas-v1:0", Prompt: "x", Size: "big"})
	f(err, "size")
	_, err = c.EditImage(ctx, llm.ImageRequest{Model: "amazon.nova-canvas-v1:0", Prompt: "x"})
	f(err, "images")
	_, err = c.EditImage(ctx, llm.ImageRequest{Model: "amazon.nova-canvas-v1:0", Prompt: "x", Images: [][]byte{[]byte("no image")}})
	f(err, "images[0]")
	_, err = c.EditImage(ctx, llm.ImageRequest{Model: "amazon.nova-canvas-v1:0", Prompt: "x", Images: [][]byte{png}, Mask: []byte("no image")})
	f(err, "mask")
	_, err = c.Rerank(ctx, llm.RerankRequest{Model: "amazon.rerank-v1:0", Documents: llm.Texts("a")})
	f(err, "query")
	_, err = c.Rerank(ctx, llm.RerankRequest{Model: "amazon.rerank-v1:0", Query: "q"})
	f(err, "documents")
	_, err = c.Rerank(ctx, llm.RerankRequest{Model: "amazon.rerank-v1:0", Query: "q", Documents: []llm.Document{{Object: []byte("{")}}})
	f(err, "documents[0]")
	_, err = c.Invoke(ctx, llm.InvokeRequest{Model: nova})
	f(err, "body")
	for _, err := range c.InvokeStream(ctx, llm.InvokeRequest{Model: nova}) {
		f(err, "body")
	}
	_, err = c.ApplyGuardrail(ctx, llm.GuardrailRequest{Version: "1", Content: []llm.Block{llm.TextBlock("x")}})
	f(err, "id")
	_, err = c.ApplyGuardrail(ctx, llm.GuardrailRequest{ID: "g", Version: "1", Content: []llm.Block{{Kind: llm.BlockThinking}}})
	f(err, "content[0]")
	_, _, err = c.CountTokens(ctx, llm.Request{Model: nova})
	f(err, "messages")
}

func TestToolsOfAConversation(t *testing.T) {
	_, address := simulated(t, sim.Options{})
	c := client(t, address, keys())
	req := llm.Ask(nova, "call look and fail and missing")
	for _, name := range []string{"look", "fail", "missing"} {
		req.Tools = append(req.Tools, llm.Tool{Name: name})
	}
	r, err := c.RunTools(t.Context(), &req, map[string]llm.ToolFunc{
		"look": func(context.Context, json.RawMessage) (string, error) { return "found", nil },
		"fail": func(context.Context, json.RawMessage) (string, error) { return "", errors.New("out of order") },
	})
	if err != nil || len(req.Messages) != 4 || !r.Cost.Known() {
		t.Fatalf("%+v, %v", r, err)
	}
	results := req.Messages[2].Blocks
	if len(results) != 3 || results[0].Tool.Failed || !results[1].Tool.Failed || results[1].Tool.Result[0].Text.String() != "out of order" ||
		results[2].Tool.Result[0].Text.String() != "there is no tool named missing" {
		t.Errorf("%+v", results)
	}
	ctx, cancel := context.WithCancel(t.Context())
	req = llm.Ask(nova, "call look")
	req.Tools = []llm.Tool{{Name: "look"}}
	_, err = c.RunTools(ctx, &req, map[string]llm.ToolFunc{
		"look": func(context.Context, json.RawMessage) (string, error) { cancel(); return "", ctx.Err() },
	})
	if refusal(t, err).Kind != llm.KindCanceled {
		t.Errorf("%v", err)
	}
}

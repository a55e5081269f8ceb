package gateway_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop"
	"github.com/outcrop-ai/outcrop/internal/dialect/anthropic"
	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/internal/gateway"
	"github.com/outcrop-ai/outcrop/llm"
)

// TestTheSDKMakesTheSameCalls sends the request of every golden case through the Go SDK, under the same configuration. AWS
// must get from it, byte for byte, what it gets from the gateway.
func TestTheSDKMakesTheSameCalls(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	same, elsewhere := 0, 0
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "testdata/golden/"), ".txtar")
		t.Run(name, func(t *testing.T) {
			c := gateway.OpenGolden(t, file)
			if why := onlyOverHTTP(name, c); why != "" {
				elsewhere++
				return
			}
			call := decoded(c)
			if call == nil { // refused before anybody is asked
				if c.Upstream != "nothing\n" {
					t.Errorf("the dialect refuses what went up as\n%s", c.Upstream)
				}
				return
			}
			call(t, sdk(t, c))
			got, want := c.Seen(), c.Upstream
			if strings.HasSuffix(c.Path, "/completions") && !strings.HasSuffix(c.Path, "/chat/completions") { // the SDK's prompts are Go strings, which have lost their spelling
				want = strings.ReplaceAll(want, `\u00e9`, "é")
			}
			if got != want {
				t.Errorf("--- the SDK\n%s--- the gateway\n%s", got, want)
			}
			same++
		})
	}
	t.Logf("%d cases went up both ways, %d are of HTTP alone", same, elsewhere)
	if elsewhere*10 > same {
		t.Errorf("%d of %d cases are left out", elsewhere, same+elsewhere)
	}
}

// onlyOverHTTP says why a case has no counterpart: it is about what only clients over HTTP can do.
func onlyOverHTTP(name string, c *gateway.GoldenCase) string {
	for word, why := range map[string]string{
		"configurable_clientside_auth_params": "a program needs no leave for its own connection", "mock_testing_": "failures on demand are the gateway's",
	} {
		if strings.Contains(c.Config+c.Body, word) {
			return why
		}
	}
	for header := range c.Header {
		if strings.HasPrefix(header, "X-Litellm-") && header != "X-Litellm-Call-Id" {
			return "hints in headers are for clients whose bodies are not theirs"
		}
	}
	if strings.Contains(c.Path, "/messages") && strings.Contains(c.Body, `"output_config"`) && !strings.Contains(c.Upstream, "anthropic.") {
		return "how hard to think is a wish of agents that speak to every model as to Claude; a program's word is kept or refused"
	}
	if (strings.Contains(c.Path, "/messages") || strings.Contains(c.Path, "/responses")) && !strings.Contains(c.Upstream, "/converse") && c.Upstream != "nothing\n" {
		return "models that speak the client's dialect get its own words as it wrote them; a program has no such words"
	}
	if strings.Contains(c.Path, "engines/") || strings.Contains(c.Path, "deployments/") || strings.HasPrefix(c.Path, "/v3/") {
		return "paths are HTTP's"
	}
	if c.Header.Get("Authorization") == "" || strings.HasPrefix(c.Path, "/bedrock") || strings.HasPrefix(c.Path, "/model/") {
		return "keys, and the pass-through"
	}
	return ""
}

// sdk returns a client with the case's configuration.
func sdk(t *testing.T, c *gateway.GoldenCase) *outcrop.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(c.Config), 0o600); err != nil {
		t.Fatal(err)
	}
	options := []outcrop.Option{outcrop.WithConfig(path), outcrop.WithEnvironment(func(string) (string, bool) { return "", false })}
	if !strings.Contains(c.Settings, "num_retries") {
		options = append(options, outcrop.WithRetries(0))
	}
	client, err := outcrop.New(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// decoded returns the case's request as a call of the SDK, nil if the dialect refuses it.
func decoded(c *gateway.GoldenCase) func(*testing.T, *outcrop.Client) {
	body := []byte(strings.TrimSuffix(c.Body, "\n"))
	path, _, _ := strings.Cut(c.Path, "?")
	path = strings.TrimSuffix(path, "/")
	decode := openai.DecodeChat
	switch {
	case strings.HasSuffix(path, "/chat/completions"), strings.HasSuffix(path, "/messages"):
	case strings.HasSuffix(path, "/completions"):
		decode = openai.DecodeCompletion
	case strings.HasSuffix(path, "/responses"):
		decode = func(body []byte) (*llm.Request, *openai.Control, error) {
			r, control, _, err := openai.DecodeResponses(body, nil)
			return r, control, err
		}
	case strings.HasSuffix(path, "/embeddings"):
		decode = openai.DecodeEmbeddings
	case strings.HasSuffix(path, "/rerank"):
		decode = openai.DecodeRerank
	case strings.HasSuffix(path, "/images/generations"), strings.HasSuffix(path, "/images/edits"), strings.HasSuffix(path, "/images/variations"):
		task := map[byte]llm.ImageTask{'g': llm.ImageGenerate, 'e': llm.ImageEdit, 'v': llm.ImageVary}[path[strings.LastIndexByte(path, '/')+1]]
		decode = openai.DecodeImage(task)
		if kind := c.Header.Get("Content-Type"); strings.HasPrefix(kind, "multipart/") {
			decode = openai.DecodeImageForm(task, kind)
		}
	default:
		return func(t *testing.T, _ *outcrop.Client) { t.Errorf("no verb for %s", c.Path) }
	}
	if strings.HasSuffix(path, "/messages") {
		return message(body, c.Header)
	}
	r, control, err := decode(body)
	if err != nil || control.Connection != nil { // the latter needs leave, which no case gives
		return nil
	}
	o := options(control)
	if strings.Contains(c.Config, "forward_client_headers") {
		o.Headers = map[string]string{}
		for name := range c.Header {
			if name == "Anthropic-Beta" || strings.HasPrefix(name, "X-C") {
				o.Headers[name] = c.Header.Get(name)
			}
		}
	}
	r.Options, r.Policy.CacheRules = o, control.CacheRules
	switch {
	case r.Embed != nil:
		return func(t *testing.T, c *outcrop.Client) { embed(t, c, r) }
	case r.Rerank != nil:
		return func(t *testing.T, c *outcrop.Client) { rank(t, c, r) }
	case r.Image != nil:
		return func(t *testing.T, c *outcrop.Client) { draw(t, c, r) }
	case len(control.Prompts) > 0:
		return func(t *testing.T, c *outcrop.Client) { complete(t, c, r, control.Prompts) }
	}
	return func(t *testing.T, c *outcrop.Client) { chat(t, c, r) }
}

// message returns a request of Anthropic's dialect as a call of the SDK. Its body in the client's own words, which Claude gets
// on InvokeModel, is the dialect's alone.
func message(body []byte, header http.Header) func(*testing.T, *outcrop.Client) {
	r, err := anthropic.Decode(body)
	if err != nil {
		return nil
	}
	for _, value := range header["Anthropic-Beta"] {
		r.AddBetas(value)
	}
	return func(t *testing.T, c *outcrop.Client) { chat(t, c, r.Request) }
}

func options(control *openai.Control) llm.Options {
	models := func(list []openai.Fallback) []string {
		var names []string
		for _, f := range list {
			names = append(names, f.Model)
		}
		return names
	}
	return llm.Options{
		Drop: control.Drop, Modify: control.Modify, Remove: control.Remove, Allowed: control.Allowed,
		UserContinue: control.UserContinue, AssistantContinue: control.AssistantContinue, Retries: control.Retries, NoFallbacks: control.NoFallbacks,
		Fallbacks: models(control.Fallbacks), ContextFallbacks: models(control.ContextFallbacks), FilterFallbacks: models(control.FilterFallbacks),
		Session: control.Session, Regions: control.Regions,
	}
}

func chat(t *testing.T, c *outcrop.Client, r *llm.Request) {
	if r.Stream {
		_, _ = llm.Collect(c.ChatStream(t.Context(), *r)) // what comes of it is another test's
		return
	}
	_, _ = c.Chat(t.Context(), *r)
}

func complete(t *testing.T, c *outcrop.Client, r *llm.Request, prompts []llm.Message) {
	q := llm.Completion{Request: *r}
	q.Messages = nil
	for _, p := range prompts {
		q.Prompts = append(q.Prompts, p.Blocks[0].Text.String())
	}
	if r.Stream {
		_, _ = llm.Collect(c.CompleteStream(t.Context(), q))
		return
	}
	_, _ = c.Complete(t.Context(), q)
}

func embed(t *testing.T, c *outcrop.Client, r *llm.Request) {
	q := llm.EmbedRequest{Model: r.Model, Contents: r.Embed.Inputs, Encoding: r.Embed.Encoding, Extra: r.Extra, Params: r.Params, Guardrail: r.Guardrail, Options: r.Options}
	if r.Embed.Dimensions != nil {
		q.Dimensions = int(*r.Embed.Dimensions)
	}
	_, _ = c.Embed(t.Context(), q)
}

func rank(t *testing.T, c *outcrop.Client, r *llm.Request) {
	q := llm.RerankRequest{
		Model: r.Model, Query: r.Rerank.Query.String(), Documents: r.Rerank.Documents, Fields: r.Rerank.Fields, Extra: r.Extra, Params: r.Params,
		Guardrail: r.Guardrail, Options: r.Options,
	}
	if r.Rerank.TopN != nil {
		q.TopN = int(*r.Rerank.TopN)
	}
	_, _ = c.Rerank(t.Context(), q)
}

func draw(t *testing.T, c *outcrop.Client, r *llm.Request) {
	a := r.Image
	q := llm.ImageRequest{
		Model: r.Model, Prompt: a.Prompt.String(), N: r.N, Quality: a.Quality, Style: a.Style, Format: a.Format, Extra: r.Extra, Params: r.Params,
		Guardrail: r.Guardrail, Options: r.Options,
	}
	if a.Width > 0 {
		q.Size = strconv.Itoa(a.Width) + "x" + strconv.Itoa(a.Height)
	}
	content := func(p *llm.Picture) []byte {
		data, err := base64.StdEncoding.DecodeString(string(p.Base64))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for i := range a.Sources {
		q.Images = append(q.Images, content(&a.Sources[i]))
	}
	if a.Mask != nil {
		q.Mask = content(a.Mask)
	}
	verb := map[llm.ImageTask]func(context.Context, llm.ImageRequest) (*llm.ImageResponse, error){
		llm.ImageGenerate: c.GenerateImage, llm.ImageEdit: c.EditImage, llm.ImageVary: c.VaryImage,
	}[a.Task]
	_, _ = verb(t.Context(), q)
}

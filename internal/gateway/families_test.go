package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/sim"
)

// TestEveryModelThroughInvokeModel speaks with every chat model of the catalogue through InvokeModel, whole and streamed:
// the simulator checks each family's body as AWS does, and answers in the family's words.
func TestEveryModelThroughInvokeModel(t *testing.T) {
	models, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	bedrock := sim.New(sim.Options{Auth: sim.AuthOff})
	upstream, err := bedrock.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bedrock.Close)
	config := fmt.Sprintf(`
model_list:
  - model_name: "*"
    litellm_params:
      model: "bedrock/*"
      aws_access_key_id: AKIDEXAMPLE
      aws_secret_access_key: secret
      aws_region_name: us-east-1
      aws_bedrock_runtime_endpoint: %s
general_settings:
  master_key: %s
`, upstream, testKey)
	g := newRig(t, config, nil)
	const arn = "/arn:aws:bedrock:us-east-1:123456789012:imported-model/abc"
	names := []string{"bedrock/llama" + arn, "bedrock/deepseek_r1" + arn, "bedrock/qwen3" + arn, "bedrock/openai" + arn, "bedrock/invoke/cohere.command-r-v1:0"}
	for _, m := range models.Models() {
		if m.Mode == "chat" && strings.Contains(m.ID, ".") { // a name without provider is an alias of LiteLLM's
			names = append(names, "bedrock/invoke/"+m.ID)
		}
	}
	for _, name := range names {
		content := `"Say it"`
		if strings.Contains(name, "pegasus") {
			content = `[{"type":"text","text":"Say it"},{"type":"video_url","video_url":{"url":"data:video/mp4;base64,AAAAIGZ0eXBpc29t"}}]`
		}
		body := fmt.Sprintf(`{"model":%q,"max_tokens":300,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"U1"},{"role":"assistant","content":"A1"},{"role":"user","content":%s}]`, name, content)
		resp, answer := g.send(http.MethodPost, "/v1/chat/completions", body+"}", bearer(testKey))
		if resp.StatusCode != http.StatusOK || !strings.Contains(answer, "You said: ") || !strings.Contains(answer, "Say it") || strings.Contains(answer, "think>") || strings.Contains(answer, "reasoning>") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, answer)
		}
		resp, answer = g.send(http.MethodPost, "/v1/chat/completions", body+`,"stream":true,"stream_options":{"include_usage":true}}`, bearer(testKey))
		if resp.StatusCode != http.StatusOK || !strings.HasSuffix(answer, "data: [DONE]\n\n") || !strings.Contains(answer, `"finish_reason":"stop"`) || strings.Contains(answer, "think>") {
			t.Errorf("%s: stream: %d %s", name, resp.StatusCode, answer)
		}
		for range 2 {
			if r := g.books.next(t); r.UsageSource.String() != "aws" || r.Usage.Output == 0 {
				t.Errorf("%s: record %+v", name, r)
			}
		}
	}
}

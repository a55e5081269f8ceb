package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/sim"
)

const embedding = `
model_list:
  - model_name: "*"
    litellm_params: {model: "bedrock/*", aws_access_key_id: AKIDEXAMPLE, aws_secret_access_key: secret, aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: %s}
general_settings: {master_key: %s}
`

// TestEmbeddingsOfEveryModel asks every embedding model of the catalogue for vectors, against the simulator, which checks
// each family's body as AWS does. Vectors have the length 1, and similar texts are near each other.
func TestEmbeddingsOfEveryModel(t *testing.T) {
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
	g := newRig(t, fmt.Sprintf(embedding, upstream, testKey), nil)
	asked := 0
	for _, m := range models.Models() {
		if m.Mode != "embedding" {
			continue
		}
		asked++
		resp, body := g.send(http.MethodPost, "/v1/embeddings", `{"model":"bedrock/`+m.ID+`","input":["the rain in Oslo","the rain in Bergen","SELECT 1"]}`, bearer(testKey))
		var answer struct {
			Data []struct {
				Index     int
				Embedding []float64
			}
			Usage struct {
				PromptTokens int `json:"prompt_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || resp.StatusCode != 200 || len(answer.Data) != 3 {
			t.Errorf("%s: %d %v %.300s", m.ID, resp.StatusCode, err, body)
			continue
		}
		for i, d := range answer.Data {
			if norm := dot(d.Embedding, d.Embedding); d.Index != i || math.Abs(norm-1) > 1e-3 || m.Dimensions != 0 && len(d.Embedding) != int(m.Dimensions) {
				t.Errorf("%s: vector %d of %d numbers has the length %f", m.ID, d.Index, len(d.Embedding), norm)
			}
		}
		if near, far := dot(answer.Data[0].Embedding, answer.Data[1].Embedding), dot(answer.Data[0].Embedding, answer.Data[2].Embedding); near <= far {
			t.Errorf("%s: the near texts are farther apart than the others: %f, %f", m.ID, near, far)
		}
		r := g.books.next(t)
		if isTokens := !strings.Contains(m.ID, "marengo"); r.Type != "aembedding" || !r.CostKnown || r.Cost <= 0 || isTokens != (answer.Usage.PromptTokens > 0) {
			t.Errorf("%s: %+v, %d tokens", m.ID, r, answer.Usage.PromptTokens)
		}
	}
	if asked < 8 {
		t.Errorf("%d models", asked)
	}
}

func dot(a, b []float64) (sum float64) {
	for i := range min(len(a), len(b)) {
		sum += a[i] * b[i]
	}
	return sum
}

// TestEmbeddingsAreMadeSideBySide holds calls back until eight are under way at once: with fewer there would be no answer.
// The vectors stand in the order of the inputs.
func TestEmbeddingsAreMadeSideBySide(t *testing.T) {
	const inputs, atOnce = 24, 8
	var arrived, running, most atomic.Int32
	var gates [inputs / atOnce]chan struct{} // each opens when eight have come
	for i := range gates {
		gates[i] = make(chan struct{})
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		n := int(arrived.Add(1)) - 1
		if n%atOnce == atOnce-1 {
			close(gates[n/atOnce])
		}
		select {
		case <-gates[n/atOnce]:
		case <-r.Context().Done():
		}
		defer running.Add(-1)
		var asked struct{ InputText string }
		if err := json.Unmarshal(body, &asked); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, `{"embedding":[`+asked.InputText+`],"inputTextTokenCount":2}`)
	}))
	defer upstream.Close()
	g := newRig(t, fmt.Sprintf(embedding, upstream.URL, testKey), nil)
	var texts []string
	for i := range inputs {
		texts = append(texts, strconv.Quote(strconv.Itoa(i)))
	}
	resp, body := g.send(http.MethodPost, "/v1/embeddings", `{"model":"bedrock/amazon.titan-embed-text-v1","input":[`+strings.Join(texts, ",")+`]}`, bearer(testKey))
	if resp.StatusCode != 200 || !strings.Contains(body, `"usage":{"prompt_tokens":48,"total_tokens":48}`) {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	for i := range inputs {
		if !strings.Contains(body, fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":[%d]}`, i, i)) {
			t.Errorf("input %d: %s", i, body)
		}
	}
	if most.Load() > atOnce {
		t.Errorf("%d calls at once", most.Load())
	}
	if r := g.books.next(t); r.Usage.Input != 48 || r.Cost != 48*100_000 {
		t.Errorf("%+v", r)
	}
}

// TestTheFirstFailureEndsTheOthers answers one of many calls with an error and holds the others back: they are cancelled.
func TestTheFirstFailureEndsTheOthers(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if strings.Contains(string(body), "bad") {
			w.Header().Set("X-Amzn-Errortype", "ThrottlingException")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"message":"Too many"}`)
			return
		}
		<-r.Context().Done()
	}))
	defer upstream.Close()
	g := newRig(t, fmt.Sprintf(embedding, upstream.URL, testKey), nil)
	resp, body := g.send(http.MethodPost, "/v1/embeddings", `{"model":"bedrock/amazon.titan-embed-text-v1","input":["a","b","bad","c"]}`, bearer(testKey))
	if _, _, _, code := errorOf(t, body); resp.StatusCode != http.StatusTooManyRequests || code != "429" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestCohereTakesTextsInBatches(t *testing.T) {
	var calls atomic.Int32
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		var asked struct{ Texts []string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Texts) > 96 {
			t.Errorf("%d texts, %v", len(asked.Texts), err)
		}
		w.Header().Set("X-Amzn-Bedrock-Input-Token-Count", strconv.Itoa(len(asked.Texts)))
		_, _ = io.WriteString(w, `{"embeddings":[[`+strings.Join(asked.Texts, "],[")+`]]}`)
	}))
	defer upstream.Close()
	g := newRig(t, fmt.Sprintf(embedding, upstream.URL, testKey), nil)
	for _, n := range []int{96, 97, 200} {
		calls.Store(0)
		var texts []string
		for i := range n {
			texts = append(texts, strconv.Quote(strconv.Itoa(i)))
		}
		resp, body := g.send(http.MethodPost, "/v1/embeddings", `{"model":"bedrock/cohere.embed-english-v3","input":[`+strings.Join(texts, ",")+`]}`, bearer(testKey))
		if want := (n + 95) / 96; resp.StatusCode != 200 || int(calls.Load()) != want || !strings.Contains(body, fmt.Sprintf(`"index":%d,"embedding":[%d]`, n-1, n-1)) {
			t.Errorf("%d texts: %d calls, %d %.200s", n, calls.Load(), resp.StatusCode, body)
		}
	}
}

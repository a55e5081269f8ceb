package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// budgetRig serves the catalogue's models within a budget.
func budgetRig(t *testing.T, dollars string) (*rig, *serviceUps) {
	t.Helper()
	return servicesRig(t, ownKey, "bedrock_passthrough_unlisted: true}\nlitellm_settings: {max_budget: "+dollars)
}

// TestABurstOfWhatIsPaidForBesideTokens: a budget that covers one call lets one of twenty through that come at once, though
// nearly all that it costs are seconds or searches.
func TestABurstOfWhatIsPaidForBesideTokens(t *testing.T) {
	const (
		nova    = "/bedrock/model/amazon.nova-2-multimodal-embeddings-v1:0/invoke"
		marengo = "/bedrock/model/twelvelabs.marengo-embed-2-7-v1:0/invoke"
		claude  = "/bedrock/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/"
		pegasus = "/bedrock/model/us.twelvelabs.pegasus-1-2-v1:0/invoke"
		vectors = `{"embeddings":[{"embedding":[0.5]}]}`
		search  = `"max_tokens":10,"tools":[{"type":"web_search_20250305","name":"web_search"`
		found   = `{"usage":{"input_tokens":1,"output_tokens":1,"server_tool_use":{"web_search_requests":`
	)
	for _, c := range []struct{ name, dollars, path, asked, answer string }{
		{"video, embedded in AWS's words", "0.007", nova, `{"singleEmbeddingParams":{"video":{"format":"mp4","source":{"bytes":"` + filmOf(10_000) + `"}}}}`, vectors},
		{"sound, embedded in AWS's words", "0.00035", nova, `{"singleEmbeddingParams":{"audio":{"format":"wav","source":{"bytes":"` + wavOf(2.5) + `"}}}}`, vectors},
		{"a part of a video in S3", "0.042", marengo, `{"inputType":"video","mediaSource":{"s3Location":{"uri":"s3://b/k"}},"startSec":10,"lengthSec":60}`, `{"data":[{}]}`},
		{"video, embedded in OpenAI's words", "0.021", "/v1/embeddings", `{"model":"bedrock/amazon.nova-2-multimodal-embeddings-v1:0","input":"data:video/mp4;base64,` + filmOf(30_000) + `"}`, vectors},
		{"two of them", "0.021", "/v1/embeddings", `{"model":"bedrock/amazon.nova-2-multimodal-embeddings-v1:0","input":["data:video/mp4;base64,` + filmOf(15_000) + `","data:video/mp4;base64,` + filmOf(15_000) + `"]}`, vectors},
		{"video that a model watches", "0.0147", pegasus, `{"inputPrompt":"a","mediaSource":{"base64String":"` + filmOf(30_000) + `"}}`, `{"message":"A film","usage":{"outputTokens":1}}`},
		{"searches of Claude's", "0.03", claude + "invoke", `{` + search + `,"max_uses":3}]}`, found + `3}}}`},
		{"searches without a bound", "0.1", claude + "invoke", `{` + search + `}]}`, found + `10}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			const burst = 20
			g, up := budgetRig(t, c.dollars)
			var came atomic.Int64
			var once sync.Once
			over := make(chan struct{})
			open := func() { once.Do(func() { close(over) }) }
			upstream := max(1, int64(strings.Count(c.asked, "data:video"))) // calls that one request makes
			up.do = func(w http.ResponseWriter, _ string) {                 // the first one is under way until all others have been refused
				if came.Add(1) > upstream {
					open()
				}
				<-over
				_, _ = io.WriteString(w, c.answer)
			}
			answers := make(chan int, burst)
			for range burst {
				go func() {
					resp, _ := g.post(c.path, c.asked)
					answers <- resp.StatusCode
				}()
			}
			statuses := map[int]int{}
			for i := range burst {
				if i == burst-1 {
					open()
				}
				statuses[<-answers]++
			}
			if len(statuses) != 2 || statuses[http.StatusOK] != 1 || came.Load() != upstream {
				t.Errorf("%v, %d calls", statuses, came.Load())
			}
			for range burst {
				g.books.next(t)
			}
			var spent account.Amount
			for i := range g.books.records {
				spent += account.Amount(g.books.records[i].Cost)
			}
			if budget := account.USD(mustFloat(t, c.dollars)); spent < budget {
				t.Errorf("%s were spent: the budget covers more than one", spent)
			}
			if resp, body := g.post(c.path, c.asked); resp.StatusCode == http.StatusOK {
				t.Errorf("the budget is spent: %s", body)
			}
		})
	}
}

func mustFloat(t *testing.T, text string) (f float64) {
	t.Helper()
	if _, err := fmt.Sscan(text, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestJobsHoldWhatTheyMayCost: an asynchronous call holds the price of what it makes until it is known what became of it; asking
// about it is free, however little is left.
func TestJobsHoldWhatTheyMayCost(t *testing.T) {
	const (
		start = `{"modelId":"film","modelInput":{"taskType":"TEXT_VIDEO"}}` // six seconds: 0.48 USD
		ask   = "/bedrock/async-invoke/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aasync-invoke%2F"
	)
	g, up := budgetRig(t, "0.48")
	var jobs atomic.Int64
	status := atomic.Pointer[string]{}
	says := func(s string) { status.Store(&s) }
	says("InProgress")
	up.do = func(w http.ResponseWriter, path string) {
		if strings.HasSuffix(path, "/async-invoke") {
			_, _ = fmt.Fprintf(w, `{"invocationArn":"arn:aws:bedrock:us-east-1:1:async-invoke/%d"}`, jobs.Add(1))
			return
		}
		_, _ = fmt.Fprintf(w, `{"status":%q}`, *status.Load())
	}
	var admitted atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if resp, _ := g.post("/bedrock/async-invoke", start); resp.StatusCode == http.StatusOK {
				admitted.Add(1)
			}
		})
	}
	all.Wait()
	if admitted.Load() != 1 || jobs.Load() != 1 {
		t.Fatalf("%d of 20 were let through", admitted.Load())
	}
	poll := func(id int, status string) {
		t.Helper()
		says(status)
		if resp, body := g.send(http.MethodGet, fmt.Sprint(ask, id), "", bearer(testKey)); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", status, resp.StatusCode, body)
		}
	}
	begins := func(want int, why string) {
		t.Helper()
		if resp, body := g.post("/bedrock/async-invoke", start); resp.StatusCode != want || want != http.StatusOK && !strings.Contains(body, why) {
			t.Errorf("%d, want %d with %q: %s", resp.StatusCode, want, why, body)
		}
	}
	poll(1, "InProgress")
	begins(http.StatusTooManyRequests, "")
	poll(1, "Failed") // costs nothing, so that there is room again
	poll(1, "Failed")
	begins(http.StatusOK, "")
	begins(http.StatusTooManyRequests, "")
	poll(2, "Completed")
	begins(http.StatusBadRequest, "Budget has been exceeded")
	poll(2, "Completed")
	var spent account.Amount
	for range 20 + 10 - 1 {
		g.books.next(t)
	}
	for i := range g.books.records {
		spent += account.Amount(g.books.records[i].Cost)
	}
	if spent != account.USD(0.48) {
		t.Errorf("%s were spent", spent)
	}
}

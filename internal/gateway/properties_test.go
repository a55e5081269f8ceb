package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/tools/txtar"
)

// Each property is tried with the seeds 1, 2, 3, …; a failure names the seed that shows it.
const (
	conversations = 80
	prefixes      = 25
	answers       = 60
)

// TestConversationsKeepTheirMeaning sends conversations made at random, and compares what was said with what AWS hears.
func TestConversationsKeepTheirMeaning(t *testing.T) {
	for _, can := range manyModels {
		t.Run(can.model, func(t *testing.T) {
			g := newListener(t, can.model)
			for seed := uint64(1); seed <= conversations; seed++ {
				k := newTalk(seed, can)
				body := k.body(len(k.messages))
				resp, answer := g.post("/v1/chat/completions", body)
				if resp.StatusCode != 200 {
					t.Fatalf("seed %d: %d %s\n%s", seed, resp.StatusCode, answer, body)
				}
				system, turns := hear(t, g.sent)
				compareTurns(t, seed, append([]string{"system: " + strings.Join(k.system, ", ")}, k.turns...), append([]string{"system: " + strings.Join(system, ", ")}, turns...))
				for why, n := range k.lost {
					if got := strings.Count(resp.Header.Get("X-Outcrop-Loss"), ";why="+why); got != n {
						t.Errorf("seed %d: %d losses are %s, the header has %q\n%s", seed, n, why, resp.Header.Get("X-Outcrop-Loss"), body)
					}
				}
				if t.Failed() {
					t.Fatalf("seed %d:\n%s\n%s", seed, body, g.sent)
				}
			}
		})
	}
}

func compareTurns(t *testing.T, seed uint64, want, got []string) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || want[i] != got[i] {
			t.Errorf("seed %d, turn %d:\nsaid  %v\nheard %v", seed, i, want[min(i, len(want)):], got[min(i, len(got)):])
			return
		}
	}
}

// TestRandomConversationsGrowAtTheirEnd sends conversations turn by turn: what AWS gets for one turn begins what it gets
// for the next, byte for byte, or its prompt cache would never hit.
func TestRandomConversationsGrowAtTheirEnd(t *testing.T) {
	for _, can := range manyModels {
		t.Run(can.model, func(t *testing.T) {
			g := newListener(t, can.model)
			for seed := uint64(1); seed <= prefixes; seed++ {
				k := newTalk(seed, can)
				last := ""
				for _, end := range k.ends {
					if resp, answer := g.post("/v1/chat/completions", k.body(end)); resp.StatusCode != 200 {
						t.Fatalf("seed %d: %d %s", seed, resp.StatusCode, answer)
					}
					var sent struct{ Messages json.RawMessage }
					if err := json.Unmarshal([]byte(g.sent), &sent); err != nil {
						t.Fatal(err)
					}
					now := strings.TrimSuffix(string(sent.Messages), "]")
					if !strings.HasPrefix(now, last) {
						t.Fatalf("seed %d: with %d messages\n%s\ndoes not begin with\n%s", seed, end, now, last)
					}
					last = now
				}
			}
		})
	}
}

// TestAnswersComeBackAsTheyWere has a model answer at random, whole or as a stream, sends the answer back as a client
// does, and compares what AWS hears with what it said.
func TestAnswersComeBackAsTheyWere(t *testing.T) {
	g := newListener(t, manyModels[0].model)
	const tools = `"tools":[{"type":"function","function":{"name":"plain"}}],`
	const hi = `{"role":"user","content":"hi"}`
	for seed := uint64(1); seed <= answers; seed++ {
		k := &talk{Rand: rand.New(rand.NewPCG(seed, seed))}
		a := newAnswer(k)
		g.plain = `{"output":{"message":{"role":"assistant","content":[` + a.content + `]}},"stopReason":"` + a.stop + `","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3},"metrics":{"latencyMs":5}}`
		g.stream = a.events
		for _, streamed := range []bool{false, true} {
			resp, body := g.post("/v1/chat/completions", fmt.Sprintf(`{"model":"sonnet","stream":%v,%s"messages":[%s]}`, streamed, tools, hi))
			if resp.StatusCode != 200 {
				t.Fatalf("seed %d: %d %s", seed, resp.StatusCode, body)
			}
			read := wholeMessage
			if streamed {
				read = streamedMessage
			}
			said := read(t, body)
			if resp, body := g.post("/v1/chat/completions", `{"model":"sonnet",`+tools+`"messages":[`+hi+`,`+said+`,`+hi+`]}`); resp.StatusCode != 200 {
				t.Fatalf("seed %d, streamed %v: %d %s\n%s", seed, streamed, resp.StatusCode, body, said)
			}
			_, turns := hear(t, g.sent)
			if want := "assistant: " + strings.Join(a.blocks, ", "); len(turns) != 3 || turns[1] != want {
				t.Fatalf("seed %d, streamed %v:\nsaid  %s\nheard %v\nin between %s", seed, streamed, want, turns, said)
			}
		}
	}
}

// TestAnySplitOfAStreamIsTheSame sends every stream among the golden cases in pieces cut at random.
func TestAnySplitOfAStreamIsTheSame(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sections := map[string]string{}
		for _, f := range archive.Files {
			sections[f.Name] = string(f.Data)
		}
		if text := sections["answer"]; text == "" || strings.HasPrefix(text, "{") || strings.HasPrefix(text, "HTTP ") {
			continue
		}
		tried++
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/golden/"), ".txtar"), func(t *testing.T) { splitAtRandom(t, sections) })
	}
	if tried < 30 {
		t.Errorf("only %d cases have a stream", tried)
	}
}

func splitAtRandom(t *testing.T, sections map[string]string) {
	var frames bytes.Buffer
	writeFrames(t, &frames, sections["answer"])
	var calls atomic.Uint64
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		w.Header().Set("X-Amzn-Requestid", "aws-request-1")
		control := http.NewResponseController(w)
		dice := rand.New(rand.NewPCG(1, calls.Add(1)))
		longest := []int{2, 10, 100}[dice.IntN(3)]
		for data := frames.Bytes(); len(data) > 0; {
			n := min(len(data), 1+dice.IntN(longest))
			if _, err := w.Write(data[:n]); err != nil {
				return
			}
			_ = control.Flush()
			data = data[n:]
		}
	}))
	t.Cleanup(aws.Close)
	g := newRig(t, goldenConfig(sections, aws.URL), nil)
	path, header := goldenPath(sections["path"])
	for i := range 6 {
		resp, body := g.send(http.MethodPost, path, sections["request"], header)
		if got := clientText(resp, body); got != sections["client"] {
			t.Fatalf("try %d:\n--- got\n%s--- want\n%s", i, got, sections["client"])
		}
	}
}

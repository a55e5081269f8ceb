package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
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
	splits        = 4
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
	bodies := []abilities{ // of InvokeModel that have messages
		{model: "invoke/us.anthropic.claude-3-7-sonnet-20250219-v1:0", thoughts: true, cache: true, media: true},
		{model: "invoke/us.amazon.nova-pro-v1:0"},
		{model: "invoke/openai.gpt-oss-20b-1:0"},
	}
	answers := map[string]string{
		bodies[0].model: `{"type":"message","role":"assistant","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}`,
		bodies[2].model: `{"choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`,
	}
	for _, can := range slices.Concat(manyModels, bodies) {
		t.Run(can.model, func(t *testing.T) {
			g := newListener(t, can.model)
			if answer := answers[can.model]; answer != "" {
				g.plain = answer
			}
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

// TestAnySplitOfAStreamIsTheSame runs every golden case that has a stream, with the upstream's bytes in pieces cut at random.
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
		if !slices.ContainsFunc(archive.Files, isStream) {
			continue
		}
		tried++
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/golden/"), ".txtar"), func(t *testing.T) {
			for seed := uint64(1); seed <= splits; seed++ {
				splitAtRandom(t, archive, seed)
			}
		})
	}
	if tried < 40 {
		t.Errorf("only %d cases have a stream", tried)
	}
}

// isStream reports whether a section is an answer in frames.
func isStream(f txtar.File) bool {
	return strings.HasPrefix(f.Name, "answer") && len(f.Data) > 0 && f.Data[0] != '{' && !bytes.HasPrefix(f.Data, []byte("HTTP "))
}

func splitAtRandom(t *testing.T, archive *txtar.Archive, seed uint64) {
	t.Helper()
	sections := map[string]string{}
	upstream := &scriptedUpstream{t: t}
	for _, f := range archive.Files {
		sections[f.Name] = string(f.Data)
		upstream.learn(f.Name, string(f.Data))
	}
	var calls atomic.Uint64
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upstream.ServeHTTP(&cutter{ResponseWriter: w, dice: rand.New(rand.NewPCG(seed, calls.Add(1)))}, r)
	}))
	defer aws.Close()
	g := newRig(t, goldenConfig(sections, aws.URL), nil)
	path, header := goldenPath(sections["path"])
	resp, body := g.send(http.MethodPost, path, strings.TrimSuffix(sections["request"], "\n"), header)
	if got := clientText(resp, body); got != sections["client"] {
		t.Fatalf("seed %d:\n--- got\n%s--- want\n%s", seed, got, sections["client"])
	}
}

// cutter sends what is written in pieces.
type cutter struct {
	http.ResponseWriter
	dice *rand.Rand
}

func (c *cutter) Write(data []byte) (int, error) {
	control := http.NewResponseController(c.ResponseWriter)
	longest := []int{2, 10, 100}[c.dice.IntN(3)]
	written := 0
	for written < len(data) {
		n, err := c.ResponseWriter.Write(data[written:min(len(data), written+1+c.dice.IntN(longest))])
		written += n
		if err != nil {
			return written, err
		}
		if err := control.Flush(); err != nil {
			return written, err
		}
	}
	return written, nil
}

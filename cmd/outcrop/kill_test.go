package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/test/databases"
)

// asOutcrop is the variable that makes the test's own binary the program outcrop.
const asOutcrop = "OUTCROP_TEST_PROCESS"

// killable is a gateway in a process of its own.
type killable struct {
	cmd  *exec.Cmd
	url  string
	done chan error
}

// launch starts a process and returns when it takes requests.
func launch(t *testing.T, args ...string) *killable {
	t.Helper()
	p := &killable{cmd: exec.CommandContext(t.Context(), os.Args[0], append([]string{"--port", "0", "--host", "127.0.0.1"}, args...)...), done: make(chan error, 1)}
	p.cmd.Env = []string{asOutcrop + "=1", "AWS_EC2_METADATA_DISABLED=true"}
	logs, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	go func() {
		lines, first := bufio.NewScanner(logs), strings.Builder{}
		for lines.Scan() { // to the end: a full pipe would hold the process up
			if _, after, found := strings.Cut(lines.Text(), "address="); found && strings.Contains(lines.Text(), "Outcrop is ready") {
				at, _, _ := strings.Cut(after, " ")
				address <- at
			} else if first.Len() < 4<<10 {
				first.WriteString(lines.Text() + "\n")
			}
		}
		close(address)
		if err := p.cmd.Wait(); err != nil {
			p.done <- fmt.Errorf("%w: %s", err, first.String())
		}
		close(p.done)
	}()
	var ok bool
	if p.url, ok = <-address; !ok {
		t.Fatalf("the process did not start: %v", <-p.done)
	}
	return p
}

// kill ends the process as kill -9 does.
func (p *killable) kill() {
	_ = p.cmd.Process.Kill()
}

// terminate ends the process as an orchestrator does.
func (p *killable) terminate(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-p.done; err != nil {
		t.Error(err)
	}
}

const killKey = "sk-2a7c91f04e6b83d5"

// killRequests are the kinds of requests that are under way when the gateway dies, with what ends their answers.
var killRequests = []struct{ path, body, end string }{
	{"/v1/chat/completions", `{"model":"chat","messages":[{"role":"user","content":"hi"}]}`, ""},
	{"/v1/chat/completions", `{"model":"chat","messages":[{"role":"user","content":"hi again"}]}`, ""},
	{"/v1/chat/completions", `{"model":"chat","stream":true,"messages":[{"role":"user","content":"hi"}]}`, "data: [DONE]"},
	{"/v1/messages", `{"model":"chat","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, "event: message_stop"},
	{"/v1/completions", `{"model":"chat","prompt":"hi"}`, ""},
	{"/v1/embeddings", `{"model":"embed","input":"hi"}`, ""},
	{"/v1/rerank", `{"model":"rank","query":"q","documents":["a","b"]}`, ""},
	{"/bedrock/model/chat/converse", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, ""},
	{"/bedrock/model/chat/converse-stream", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, ""},
}

func killConfig(upstream, extra string) string {
	var b strings.Builder
	b.WriteString("model_list:\n")
	for name, model := range map[string]string{"chat": "us.amazon.nova-pro-v1:0", "embed": "amazon.titan-embed-text-v2:0", "rank": "cohere.rerank-v3-5:0"} {
		fmt.Fprintf(&b, `  - {model_name: %s, litellm_params: {model: "bedrock/%s", aws_access_key_id: %s, aws_secret_access_key: %s, aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: %q, aws_bedrock_agent_runtime_endpoint: "off"}}`+"\n",
			name, model, sim.AccessKeyID, sim.SecretAccessKey, upstream)
	}
	return b.String() + "general_settings:\n  master_key: " + killKey + "\n" + extra
}

// clients are many clients of a gateway that count the answers that they got whole.
type clients struct {
	t      *testing.T
	random *rand.Rand // guarded by mu

	mu sync.Mutex
	// answered are the calls whose answers came whole.
	answered map[string]bool
	sent     int
}

// choose returns the next request.
func (c *clients) choose(prefix string) (id string, kind int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent++
	return fmt.Sprintf("%s-%07d", prefix, c.sent), c.random.IntN(len(killRequests))
}

// ask sends one request and reads its answer to the end. It returns false when the gateway has died.
func (c *clients) ask(client *http.Client, url, prefix string) bool {
	id, kind := c.choose(prefix)
	q := killRequests[kind]
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, url+q.path, strings.NewReader(q.body))
	if err != nil {
		c.t.Error(err)
		return false
	}
	r.Header.Set("Authorization", "Bearer "+killKey)
	r.Header.Set("X-Litellm-Call-Id", id)
	resp, err := client.Do(r)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	var body strings.Builder
	for {
		line, err := lines.ReadString('\n')
		body.WriteString(line)
		if q.end != "" && strings.HasPrefix(line, q.end) {
			break
		}
		if errors.Is(err, io.EOF) && q.end == "" {
			break
		}
		if err != nil {
			return false
		}
	}
	if resp.StatusCode != http.StatusOK {
		c.t.Errorf("%s: %d %s", q.path, resp.StatusCode, body.String())
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered[id] = true
	return true
}

// storm has parallel clients ask until limit answers came, has the gateway killed by the one that got the last of them, and
// returns when all of them have seen it die.
func (c *clients) storm(p *killable, prefix string, limit int) {
	const parallel = 16
	transport := &http.Transport{MaxIdleConnsPerHost: parallel, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var came atomic.Int64
	var all sync.WaitGroup
	for range parallel {
		all.Go(func() {
			for c.ask(client, p.url, prefix) {
				if came.Add(1) == int64(limit) {
					p.kill()
				}
			}
		})
	}
	all.Wait()
	p.kill()
	<-p.done
}

// counted returns how often each call has a row.
func counted(t *testing.T, d databases.Database) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, id := range d.List(t, `SELECT litellm_call_id FROM spend_logs`) {
		counts[id]++
	}
	return counts
}

// fromEnv is a whole number of the environment, or what is usual.
func fromEnv(t *testing.T, name string, usual int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		t.Fatalf("%s=%s is no number", name, text)
	}
	return n
}

// settle starts the gateway once more and stops it in good order: all that waits is then in the database.
func settle(t *testing.T, config, dir string) {
	t.Helper()
	launch(t, "--config", config, "--data-dir", dir).terminate(t)
	code, stdout, stderr := command(t, nil, "", "ledger", "verify", "--config", config, "--data-dir", dir, "--json")
	var v struct{ Waiting, Rows int }
	if err := json.Unmarshal([]byte(stdout), &v); code != exitOK || err != nil || v.Waiting+v.Rows != 0 {
		t.Errorf("ledger verify: %d %v %s %s", code, err, stdout, stderr)
	}
}

// TestKilledAtAnyMomentTheGatewayLosesNoRowAndCountsNoneTwice kills a gateway under load, again and again, and starts it on
// the same folder: every answer that a client got whole has one row in the end. In every third round the database takes
// nothing, so that all rows of the round are in the log alone when the gateway dies. make killtest runs it at full size.
func TestKilledAtAnyMomentTheGatewayLosesNoRowAndCountsNoneTwice(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		rounds, requests := fromEnv(t, "OUTCROP_KILL_ROUNDS", 10), fromEnv(t, "OUTCROP_KILL_REQUESTS", 1500)
		seed := uint64(fromEnv(t, "OUTCROP_KILL_SEED", 1))
		bedrock := sim.New(sim.Options{RecordLimit: 1})
		upstream, err := bedrock.Start()
		if err != nil {
			t.Fatal(err)
		}
		defer bedrock.Close()
		dir, config := t.TempDir(), write(t, killConfig(upstream, "  database_url: \""+d.URL+"\"\n"))
		c := &clients{t: t, answered: map[string]bool{}, random: rand.New(rand.NewPCG(seed, 7))}
		each := requests / rounds
		for round := range rounds {
			p := launch(t, "--config", config, "--data-dir", dir)
			unlock := func() {}
			if round%3 == 1 {
				unlock = d.Lock(t)
			}
			c.storm(p, fmt.Sprintf("round-%03d", round), each+c.random.IntN(each/5+1))
			unlock()
		}
		settle(t, config, dir)

		counts := counted(t, d)
		lost, doubled := 0, 0
		for id := range c.answered {
			if counts[id] == 0 {
				lost++
			}
		}
		for _, n := range counts {
			if n > 1 {
				doubled++
			}
		}
		t.Logf("%d rounds, %d requests, %d answered whole; %d rows, %d lost, %d doubled", rounds, c.sent, len(c.answered), len(counts), lost, doubled)
		if lost > 0 || doubled > 0 || len(c.answered) < requests {
			t.Errorf("%d lost, %d doubled of %d", lost, doubled, len(c.answered))
		}
	})
}

// TestTwoGatewaysOnOneFolder: each keeps its own log; when both are killed with all rows in their logs alone, the next one
// writes what both have left.
func TestTwoGatewaysOnOneFolder(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		config := write(t, killConfig(simulated(t), "  database_url: \""+d.URL+"\"\n"))
		dir := t.TempDir()
		one := launch(t, "--config", config, "--data-dir", dir)
		two := launch(t, "--config", config, "--data-dir", dir)
		unlock := d.Lock(t)
		c := &clients{t: t, answered: map[string]bool{}, random: rand.New(rand.NewPCG(1, 2))}
		var both sync.WaitGroup
		both.Go(func() { c.storm(one, "one", 60) })
		both.Go(func() { c.storm(two, "two", 60) })
		both.Wait()
		unlock()
		settle(t, config, dir)
		counts := counted(t, d)
		for id := range c.answered {
			if counts[id] != 1 {
				t.Errorf("%s has %d rows", id, counts[id])
			}
		}
		if len(c.answered) < 120 {
			t.Errorf("%d answers", len(c.answered))
		}
	})
}

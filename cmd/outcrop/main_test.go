package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/test/databases"
)

func TestMain(m *testing.M) {
	if os.Getenv(asOutcrop) != "" { // started by launch: a gateway that can be killed
		os.Exit(run(context.Background(), os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}, os.LookupEnv))
	}
	databases.Main(m)
}

// on is an environment in which a database is the gateway's.
func on(d databases.Database, vars map[string]string) map[string]string {
	all := map[string]string{"DATABASE_URL": d.URL}
	maps.Copy(all, vars)
	return all
}

// fileIn is the database that a gateway keeps in a folder when nothing else is said.
func fileIn(dir string) databases.Database {
	return databases.Database{Name: "sqlite", URL: "sqlite://" + filepath.Join(dir, "outcrop.db")}
}

func lookup(vars map[string]string) env {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

// command runs a command that ends by itself.
func command(t *testing.T, vars map[string]string, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, stdio{strings.NewReader(stdin), &out, &err}, lookup(vars))
	return code, out.String(), err.String()
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const entry = "model_list:\n  - model_name: m\n    litellm_params:\n      model: bedrock/amazon.nova-lite-v1:0\n"

func TestFailedStartsSayWhyInOneLineAndExitWith2(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	_, busy, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	f := func(want string, args ...string) {
		t.Helper()
		code, _, stderr := command(t, nil, "", args...)
		lines := strings.Count(stderr, "\n")
		if code != exitUsage || !strings.Contains(stderr, want) || lines != 1 {
			t.Errorf("%v: exit code %d, %d lines, want %q in\n%s", args, code, lines, want, stderr)
		}
	}
	f("did you mean config?", "--confg", "x")
	f(`unexpected argument "config.yaml"`, "--port", "1", "config.yaml")
	f("did you mean serve?", "srve")
	f("no such file", "--config", "nowhere.yaml")
	f(":1:1: error: not valid YAML", "--config", write(t, "a: [}"))
	f("CANARY_MISSING is not set", "--config", write(t, entry+"general_settings:\n  master_key: os.environ/CANARY_MISSING\n"))
	f(`did you mean "aws_region_name"?`, "--config", write(t, entry+"      aws_region_nam: us-east-1\n"))
	f("aws_secret_access_key", "--config", write(t, entry+"      aws_access_key_id: AKID\n"))
	f("so Outcrop does not listen on 0.0.0.0", "--host", "0.0.0.0", "--config", write(t, entry))
	f("publicly known", "--host", "0.0.0.0", "--config", write(t, entry+"general_settings:\n  master_key: sk-1234\n"))
	f("names no resource", "--config", write(t, strings.Replace(entry, "bedrock/amazon.nova-lite-v1:0", "bedrock/arn:aws:bedrock:us-east-1:1:x", 1)))
	f("check needs a configuration", "check")
	f("explain needs one request", "explain")
	f("cannot be read", "explain", "nowhere.json")
	f("simulated", "sim", "--scenario", "nowhere.yaml", "simulated")
	code, _, stderr := command(t, nil, "", "--port", busy, "--data-dir", t.TempDir(), "--config", write(t, entry))
	if code != exitUsage || !strings.Contains(stderr, "port "+busy+" is in use") {
		t.Errorf("a busy port: %d %s", code, stderr)
	}
}

func TestCheckNamesEveryMistakeByItsPlace(t *testing.T) {
	path := write(t, entry+"      temprature: 1\n      aws_region_nam: x\nlitellm_settings:\n  force_ipv4: true\n  nonsense: 1\n")
	code, stdout, stderr := command(t, nil, "", "check", "--config", path)
	for _, want := range []string{":5:7: error:", `did you mean "temperature"?`, ":6:7: error:", ":8:3: warning: Outcrop does not have force_ipv4", ":9:3: error:"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	if code != exitFinding || !strings.Contains(stderr, "3 error(s)") {
		t.Errorf("%d %s", code, stderr)
	}
	code, stdout, _ = command(t, map[string]string{"AWS_REGION": "us-east-1"}, "", "check", write(t, entry))
	if code != exitOK || !strings.Contains(stdout, "1 deployment(s), no errors") {
		t.Errorf("%d %s", code, stdout)
	}
	_, stdout, _ = command(t, map[string]string{"AWS_REGION": "us-east-1"}, "", "check", write(t, strings.Replace(entry, "amazon.nova-lite-v1:0", "foo.bar-v1", 1)))
	if !strings.Contains(stdout, "the price of foo.bar-v1 is unknown") {
		t.Errorf("%s", stdout)
	}
}

func TestExplain(t *testing.T) {
	path := write(t, entry+"      aws_region_name: us-east-1\n      temperature: 0.5\n")
	const request = `{"model":"m","messages":[{"role":"user","content":"hi","name":"bob"}],"foo":1}`
	code, stdout, _ := command(t, nil, request, "explain", "--config", path, "-")
	for _, want := range []string{
		"route       converse", "POST https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse", `"temperature": 0.5`, `"foo": 1`,
		"messages[0].name: unsupported", "input_cost_per_token: 0.00000006 USD",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for _, bad := range []string{`{"model":"m"}`, `{"model":"nope","messages":[{"role":"user","content":"hi"}]}`, `{"model":"m","messages":[{"role":"user","content":"hi"}],"seed":1}`} {
		if code, _, stderr := command(t, nil, bad, "explain", "--config", path, "-"); code != exitFinding || !strings.Contains(stderr, "would be refused") {
			t.Errorf("%s: %d %s", bad, code, stderr)
		}
	}
}

// TestExplainNativeEndpoints: the way that a request would take is said before it is sent, on both hosts.
func TestExplainNativeEndpoints(t *testing.T) {
	f := func(model, request string, want ...string) {
		t.Helper()
		path := write(t, strings.Replace(entry, "amazon.nova-lite-v1:0", model, 1)+"      aws_region_name: us-east-1\n")
		code, stdout, stderr := command(t, nil, request, "explain", "--config", path, "-")
		for _, w := range want {
			if !strings.Contains(stdout, w) {
				t.Errorf("%q is not in\n%s", w, stdout)
			}
		}
		if code != exitOK {
			t.Errorf("exit code %d: %s", code, stderr)
		}
	}
	const chat = `{"model":"m","messages":[{"role":"user","content":"hi"}],"verbosity":"low"}`
	f("openai.gpt-oss-20b-1:0", chat, "route       chat_completions", "POST https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1/chat/completions", "  nothing")
	f("mantle/openai.gpt-oss-20b-1:0", chat, "route       mantle/chat_completions", "POST https://bedrock-mantle.us-east-1.api.aws/v1/chat/completions", "model       openai.gpt-oss-20b\n")
	f("openai.gpt-5.6-sol", `{"model":"m","input":"hi","truncation":"auto"}`, "route       responses", "amazonaws.com/openai/v1/responses", `"truncation": "auto"`, "  nothing")
	f("amazon.nova-pro-v1:0", `{"model":"m","input":"hi","truncation":"auto"}`, "route       converse", "truncation: unsupported")
}

func TestHelpAndVersion(t *testing.T) {
	if code, stdout, _ := command(t, nil, "", "help"); code != exitOK || !strings.Contains(stdout, "outcrop demo") {
		t.Errorf("%d %s", code, stdout)
	}
	for _, args := range [][]string{{"version"}, {"--version"}, {"-v"}} {
		if code, stdout, _ := command(t, nil, "", args...); code != exitOK || !strings.HasPrefix(stdout, "outcrop ") {
			t.Errorf("%v: %d %s", args, code, stdout)
		}
	}
	for _, name := range []string{"serve", "demo", "sim", "check", "explain"} {
		if code, stdout, stderr := command(t, nil, "", name, "--help"); code != exitOK || !strings.Contains(stdout, "outcrop "+name) || stderr != "" {
			t.Errorf("%s: %d %s %s", name, code, stdout, stderr)
		}
	}
}

// lines passes on what a running command prints, line by line.
type lines struct {
	mu   sync.Mutex
	all  bytes.Buffer
	part []byte
	came chan string
}

func newLines() *lines { return &lines{came: make(chan string, 4096)} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.Write(p)
	l.part = append(l.part, p...)
	for {
		line, rest, ok := bytes.Cut(l.part, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		l.came <- string(line)
		l.part = rest
	}
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// wait returns the first line that holds text.
func (l *lines) wait(t *testing.T, text string) string {
	t.Helper()
	for {
		select {
		case line := <-l.came:
			if strings.Contains(line, text) {
				return line
			}
		case <-t.Context().Done():
			t.Fatalf("%q never came; there was %s", text, l.text())
		}
	}
}

// process is a command that runs until it is stopped.
type process struct {
	out, err *lines
	stop     context.CancelFunc
	code     chan int
}

func start(t *testing.T, vars map[string]string, args ...string) *process {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	p := &process{out: newLines(), err: newLines(), stop: stop, code: make(chan int, 1)}
	go func() { p.code <- run(ctx, args, stdio{strings.NewReader(""), p.out, p.err}, lookup(vars)) }()
	return p
}

func post(t *testing.T, url, key, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func TestDemo(t *testing.T) {
	dir := t.TempDir()
	p := start(t, nil, "demo", "--port", "0", "--data-dir", dir)
	url := strings.TrimPrefix(p.out.wait(t, "Outcrop is ready on "), "Outcrop is ready on ")
	text := p.out.text()
	if strings.Count(text, "curl -s") != 3 || !strings.Contains(text, "python3 -c") || !strings.Contains(text, "claude") {
		t.Errorf("the demo prints\n%s", text)
	}
	_, after, _ := strings.Cut(text, "Master key of this run\n  ")
	key, _, _ := strings.Cut(after, "\n")
	if status, body := post(t, url, key, `{"model":"claude","messages":[{"role":"user","content":"Hello!"}]}`); status != 200 || !strings.Contains(body, "You said: Hello!") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := post(t, url, "sk-other", `{}`); status != 401 {
		t.Errorf("another key: %d", status)
	}
	p.stop()
	if code := <-p.code; code != exitOK {
		t.Errorf("exit code %d: %s", code, p.err.text())
	}
	if n := fileIn(dir).Value(t, `SELECT count(*) FROM spend_logs WHERE http_status = 200 AND spend_pico > 0`); n != "1" {
		t.Errorf("%s rows", n)
	}
}

// TestShutdownLetsStreamsFinish: a hundred of them, of which none is cut, and each has its row.
func TestShutdownLetsStreamsFinish(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		bedrock := sim.New(sim.Options{Scenario: mustScenario(t)})
		upstream, err := bedrock.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(bedrock.Close)
		const key, streams = "sk-5c1e9b7d20a84f36", 100
		p, url := runningOn(t, d, nil, "--config", write(t, serveConfig(upstream, key, "")), "--host", "127.0.0.1")
		var begun, ended sync.WaitGroup
		begun.Add(streams)
		for range streams {
			ended.Go(func() {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/chat/completions", strings.NewReader(`{"model":"m","stream":true,"messages":[{"role":"user","content":"[[words:60]]"}]}`))
				if err != nil {
					t.Error(err)
					begun.Done()
					return
				}
				r.Header.Set("Authorization", "Bearer "+key)
				resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
				begun.Done() // the answer has begun
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				if body, err := io.ReadAll(resp.Body); err != nil || !strings.HasSuffix(string(body), "data: [DONE]\n\n") {
					t.Errorf("%v: %s", err, body)
				}
			})
		}
		begun.Wait()
		p.stop()
		ended.Wait()
		if code := <-p.code; code != exitOK {
			t.Errorf("exit code %d: %s", code, p.err.text())
		}
		if n := d.Value(t, `SELECT count(*) FROM spend_logs WHERE usage_source = 'aws' AND stream = 1 AND client_closed = 0`); n != fmt.Sprint(streams) {
			t.Errorf("%s rows", n)
		}
	})
}

// mustScenario slows streams down, so that one is still running when the gateway is told to stop.
func mustScenario(t *testing.T) *sim.Scenario {
	t.Helper()
	s, err := sim.ParseScenario([]byte("rules:\n  - match: {contains: words}\n    chunk_delay: 20ms\n"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func serveConfig(upstream, key, extra string) string {
	return fmt.Sprintf(`model_list:
  - model_name: m
    litellm_params:
      model: bedrock/us.amazon.nova-pro-v1:0
      aws_access_key_id: %s
      aws_secret_access_key: %s
      aws_region_name: us-east-1
      aws_bedrock_runtime_endpoint: %s
%sgeneral_settings:
  master_key: %s
`, sim.AccessKeyID, sim.SecretAccessKey, upstream, extra, key)
}

// TestNoSecretInAnySink sends secrets that occur nowhere else through everything that prints, logs, stores or answers.
func TestNoSecretInAnySink(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		const (
			master  = "sk-canaryMaster7f3a9c"
			secret  = "canarySecretKey4b8d"
			session = "canarySession91ee"
			bearer  = "canaryBearer55aa"
			header  = "canaryHeader77cc"
			token   = "canary.WebIdentity.22dd"
			client  = "canaryOfAClient33bb"
		)
		canaries := []string{master, secret, session, bearer, header, token, client}
		bedrock := sim.New(sim.Options{Credentials: []sim.Credential{{AccessKeyID: "ASIACANARYKEYID", SecretAccessKey: secret, SessionToken: session}}, BearerTokens: []string{bearer}})
		upstream, err := bedrock.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(bedrock.Close)
		deployment := func(name, params string) string {
			return fmt.Sprintf("  - model_name: %s\n    litellm_params:\n      model: bedrock/us.amazon.nova-pro-v1:0\n      aws_region_name: us-east-1\n      aws_bedrock_runtime_endpoint: %s\n%s", name, upstream, params)
		}
		config := "model_list:\n" +
			deployment("keys", "      aws_access_key_id: ASIACANARYKEYID\n      aws_secret_access_key: "+secret+"\n      aws_session_token: "+session+"\n") +
			deployment("wrong", "      aws_access_key_id: ASIAOTHER\n      aws_secret_access_key: "+secret+"\n") +
			deployment("bearer", "      api_key: "+bearer+"\n") +
			deployment("lenient", "      aws_access_key_id: ASIAOTHER\n      aws_secret_access_key: "+secret+"\n      configurable_clientside_auth_params: [api_key, aws_access_key_id, aws_secret_access_key, aws_session_token]\n") +
			deployment("header", "      extra_headers:\n        Authorization: Bearer "+header+"\n        x-secret: "+header+"\n") +
			deployment("web", "      aws_role_name: arn:aws:iam::123456789012:role/x\n      aws_web_identity_token: "+token+"\n      aws_sts_endpoint: "+upstream+"\n") +
			"general_settings:\n  master_key: " + master + "\n"
		path := write(t, config)
		dir := t.TempDir()
		if d.Name == "sqlite" {
			dir = filepath.Dir(d.Path())
		}
		p, url := runningOn(t, d, nil, "--config", path, "--host", "127.0.0.1", "--data-dir", dir, "--detailed_debug")
		var seen strings.Builder
		for _, model := range []string{"keys", "wrong", "bearer", "header", "web", "nope"} {
			for _, body := range []string{`"messages":[{"role":"user","content":"hi"}]`, `"stream":true,"messages":[{"role":"user","content":"[[fault:throttle]]"}]`, `"messages":7`} {
				_, answer := post(t, url, master, `{"model":"`+model+`",`+body+`}`)
				seen.WriteString(answer)
			}
		}
		_, answer := post(t, url, master+"x", `{}`)
		seen.WriteString(answer)
		for _, name := range []string{"api_key", "aws_secret_access_key", "aws_session_token"} { // not a client's to send
			_, answer := post(t, url, master, `{"model":"keys","`+name+`":"`+client+`","messages":[{"role":"user","content":"hi"}]}`)
			seen.WriteString(answer)
		}
		for _, members := range []string{ // a client's to send
			`"api_key":"` + client + `"`, `"aws_secret_access_key":"` + client + `"`, `"aws_access_key_id":"AKIACLIENT","aws_secret_access_key":"` + client + `"`,
			`"aws_access_key_id":"AKIACLIENT","aws_secret_access_key":"` + client + `","aws_session_token":"` + client + `"`,
		} {
			_, answer := post(t, url, master, `{"model":"lenient",`+members+`,"messages":[{"role":"user","content":"hi"}]}`)
			seen.WriteString(answer)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/model/info", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+master)
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		info, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || !json.Valid(info) {
			t.Errorf("/model/info: %v %d %s", err, resp.StatusCode, info)
		}
		seen.Write(info)
		p.stop()
		if code := <-p.code; code != exitOK {
			t.Errorf("exit code %d", code)
		}
		_, checked, checkedErr := command(t, nil, "", "check", "--config", path)
		explained := ""
		for _, model := range []string{"keys", "wrong", "bearer", "header", "web"} {
			_, out, err := command(t, nil, `{"model":"`+model+`","messages":[{"role":"user","content":"hi"}]}`, "explain", "--config", path, "-")
			explained += out + err
		}
		files := ""
		if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error { // the log of rows, the snapshot of keys
			if err != nil || e.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			files += string(data)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for sink, text := range map[string]string{
			"answers": seen.String(), "log": p.err.text(), "output": p.out.text(), "check": checked + checkedErr, "explain": explained, "database": d.Text(t), "files": files,
		} {
			if text == "" && sink != "output" {
				t.Errorf("the sink %s is empty", sink)
			}
			for _, canary := range canaries {
				if strings.Contains(text, canary) {
					t.Errorf("%s shows %s", sink, canary)
				}
			}
		}
	})
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/test/databases"
)

// running starts a gateway and returns its address.
func running(t *testing.T, vars map[string]string, args ...string) (*process, string) {
	t.Helper()
	p := start(t, vars, append([]string{"--port", "0", "--data-dir", t.TempDir()}, args...)...)
	line := p.err.wait(t, "Outcrop is ready")
	for _, before := range []string{"address=", `"address":"`} {
		if _, after, ok := strings.Cut(line, before); ok {
			return p, strings.TrimRight(strings.FieldsFunc(after, func(c rune) bool { return c == ' ' || c == '"' })[0], ",")
		}
	}
	t.Fatalf("no address in %s", line)
	return nil, ""
}

// runningOn starts a gateway on a database and returns its address once the database is there.
func runningOn(t *testing.T, d databases.Database, vars map[string]string, args ...string) (*process, string) {
	t.Helper()
	p, address := running(t, on(d, vars), args...)
	within(t, address+"/health/readiness", "", `"db":"connected"`)
	return p, address
}

// end stops a gateway, which must end well.
func (p *process) end(t *testing.T) {
	t.Helper()
	p.stop()
	if code := <-p.code; code != exitOK {
		t.Errorf("exit code %d: %s", code, p.err.text())
	}
}

func simulated(t *testing.T) string {
	t.Helper()
	bedrock := sim.New(sim.Options{})
	url, err := bedrock.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bedrock.Close)
	return url
}

const ask = `{"model":"m","messages":[{"role":"user","content":"Hello!"}]}`

func TestTheKeyDecidesWhoIsListenedTo(t *testing.T) {
	url := simulated(t)
	f := func(key, extra, host string, outside bool, warning string) {
		t.Helper()
		config := serveConfig(url, key, "") + extra
		if key == "" {
			config = strings.Replace(config, "general_settings:\n  master_key: \n", "general_settings:\n  background_health_checks: false\n", 1) + extra
		}
		args := []string{"--config", write(t, config)}
		if host != "" {
			args = append(args, "--host", host)
		}
		p, address := running(t, nil, args...)
		defer p.end(t)
		at, port, err := net.SplitHostPort(strings.TrimPrefix(address, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if isLoopback(at) == outside {
			t.Errorf("key %q: listens on %s", key, address)
		}
		if log := p.err.text(); warning == "" && strings.Contains(log, "whoever reaches this address") || !strings.Contains(log, warning) {
			t.Errorf("key %q: %s", key, log)
		}
		sent := key
		if key == "" {
			sent = "anything"
		}
		if status, body := post(t, "http://localhost:"+port, sent, ask); status != 200 {
			t.Errorf("key %q: %d %s", key, status, body)
		}
	}
	const permit = "  dangerously_permit_weak_or_unset_master_key: true\n"
	f("sk-5c1e9b7d20a84f36", "", "", true, "")
	f("sk-5c1e9b7d20a84f36", "", "127.0.0.1", false, "")
	f("", "", "", false, "no master key is set")
	f("", "", "localhost", false, "no master key is set")
	f("sk-1234", "", "", false, "the master key is a publicly known one")
	f("sk-1234", permit, "0.0.0.0", true, "the master key is a publicly known one")
}

func TestPermitInTheEnvironment(t *testing.T) {
	path := write(t, serveConfig(simulated(t), "sk-1234", ""))
	p, _ := running(t, map[string]string{"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}, "--config", path, "--host", "0.0.0.0")
	p.end(t)
}

func TestHeadersAreBounded(t *testing.T) {
	const key = "sk-5c1e9b7d20a84f36"
	p, address := running(t, nil, "--config", write(t, serveConfig(simulated(t), key, "")), "--host", "127.0.0.1")
	defer p.end(t)
	f := func(size, status int) {
		t.Helper()
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(address, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "GET /v1/models/m HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\nX-Large: %s\r\n\r\n", key, strings.Repeat("x", size)); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%d bytes: %s", size, resp.Status)
		}
	}
	f(60<<10, 200)
	f(64<<10, 431)
}

func TestFlagsOfServe(t *testing.T) {
	url := simulated(t)
	vars := map[string]string{
		"AWS_ACCESS_KEY_ID": sim.AccessKeyID, "AWS_SECRET_ACCESS_KEY": sim.SecretAccessKey, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url,
		"AWS_EC2_METADATA_DISABLED": "true",
	}
	f := func(model, want string, args ...string) {
		t.Helper()
		p, address := running(t, vars, args...)
		if status, body := post(t, address, "anything", strings.Replace(ask, `"m"`, `"`+model+`"`, 1)); status != 200 || !strings.Contains(body, `"model":"`+model+`"`) {
			t.Errorf("%v: %d %s", args, status, body)
		}
		p.end(t) // the log is whole
		if log := p.err.text(); !strings.Contains(log, want) {
			t.Errorf("%v: %q is not in %s", args, want, log)
		}
	}
	f("bedrock/us.amazon.nova-pro-v1:0", "msg=request")
	f("us.amazon.nova-pro-v1:0", "msg=request")
	f("bedrock/us.amazon.nova-pro-v1:0", "msg=request", "--model", "bedrock/us.amazon.nova-pro-v1:0")
	f("my-model", "msg=request", "--model", "bedrock/us.amazon.nova-pro-v1:0", "--alias", "my-model")
	f("us.amazon.nova-pro-v1:0", "--num_workers has no effect", "--num_workers", "8")
	f("us.amazon.nova-pro-v1:0", "--run_gunicorn has no effect", "--run_gunicorn")
	f("us.amazon.nova-pro-v1:0", "upstream request", "--detailed_debug")
	p, address := running(t, vars, "--drop_params")
	defer p.end(t)
	if status, body := post(t, address, "x", `{"model":"us.amazon.nova-pro-v1:0","seed":1,"messages":[{"role":"user","content":"hi"}]}`); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

func TestConfigurationFromTheEnvironment(t *testing.T) {
	const key = "sk-5c1e9b7d20a84f36"
	path := write(t, serveConfig(simulated(t), "os.environ/GATEWAY_KEY", "litellm_settings:\n  json_logs: true\n"))
	p, address := running(t, map[string]string{"CONFIG_FILE_PATH": path, "HOST": "127.0.0.1", "GATEWAY_KEY": key})
	if status, _ := post(t, address, key, ask); status != 200 {
		t.Errorf("the key of the environment: %d", status)
	}
	if status, _ := post(t, address, "os.environ/GATEWAY_KEY", ask); status != 401 {
		t.Errorf("the reference itself: %d", status)
	}
	p.end(t)
	for line := range strings.Lines(p.err.text()) {
		if !json.Valid([]byte(line)) || strings.Contains(line, key) {
			t.Errorf("the line %q", line)
		}
	}
}

func TestWhatCannotBeReadIsSaidInOneLine(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		code, _, stderr := command(t, nil, "", args...)
		if code != exitUsage || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%v: %d %s", args, code, stderr)
		}
	}
	dir := t.TempDir()
	f(dir, "--config", dir)
	empty := filepath.Join(dir, "empty.yaml")
	if err := os.WriteFile(empty, []byte("7"), 0o600); err != nil {
		t.Fatal(err)
	}
	f("empty.yaml", "--config", empty)
	f("cannot listen on", "--port", "99999999", "--data-dir", dir, "--config", write(t, entry))
	f("cannot listen on", "--host", "203.0.113.7", "--port", "0", "--data-dir", dir, "--config", write(t, entry+"general_settings:\n  master_key: sk-5c1e9b7d20a84f36\n"))
	f("flag needs an argument: -port", "--port")
	f("request_timeout", "--request_timeout", "soon")
}

func TestADatabaseThatCannotBeOpenedStopsNoRequest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing", "folder")
	const key = "sk-5c1e9b7d20a84f36"
	p, address := running(t, nil, "--config", write(t, serveConfig(simulated(t), key, "")), "--host", "127.0.0.1", "--data-dir", dir)
	if status, body := post(t, address, key, ask); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	p.end(t)
	if log := p.err.text(); !strings.Contains(log, "the database cannot be opened") {
		t.Errorf("%s", log)
	}
}

func TestCertificatesThatNobodyLooksAtAreNamed(t *testing.T) {
	f := func(vars map[string]string, settings string, warned bool) {
		t.Helper()
		p, _ := running(t, vars, "--config", write(t, serveConfig(simulated(t), "sk-5c1e9b7d20a84f36", settings)), "--host", "127.0.0.1")
		p.end(t)
		if log := p.err.text(); strings.Contains(log, "ssl_verify is off") != warned {
			t.Errorf("%v %s: %s", vars, settings, log)
		}
	}
	f(nil, "", false)
	f(map[string]string{"SSL_VERIFY": "False"}, "", true)
	f(nil, "litellm_settings:\n  ssl_verify: false\n", true)
	f(map[string]string{"SSL_VERIFY": "False"}, "litellm_settings:\n  ssl_verify: true\n", false)
}

func TestTheSimulatorAlone(t *testing.T) {
	p := start(t, nil, "sim", "--port", "0")
	line := p.out.wait(t, "http://")
	address := strings.TrimRight(line[strings.Index(line, "http://"):], " .,")
	address, _, _ = strings.Cut(address, " ")
	g, gateway := running(t, nil, "--config", write(t, serveConfig(address, "sk-5c1e9b7d20a84f36", "")), "--host", "127.0.0.1")
	if status, body := post(t, gateway, "sk-5c1e9b7d20a84f36", ask); status != 200 || !strings.Contains(body, "You said: Hello!") {
		t.Errorf("%d %s", status, body)
	}
	g.end(t)
	p.end(t)
}

func TestTheDemosLinesWorkAsPrinted(t *testing.T) {
	p := start(t, nil, "demo", "--port", "0")
	url := strings.TrimPrefix(p.out.wait(t, "Outcrop is ready on "), "Outcrop is ready on ")
	worked := 0
	for line := range strings.Lines(p.out.text()) {
		command := strings.TrimSpace(line)
		if !strings.HasPrefix(command, "curl ") {
			continue
		}
		r := curl(t, command)
		if !strings.HasPrefix(r.URL.String(), url+"/") {
			t.Errorf("%s does not ask %s", command, url)
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		want := "choices"
		if strings.HasSuffix(r.URL.Path, "/key/generate") {
			want = `"key":"sk-`
		}
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %v %s %s", command, err, resp.Status, body)
		}
		worked++
	}
	if worked != 3 {
		t.Errorf("%d lines for curl", worked)
	}
	p.end(t)
}

// curl reads a command line as a shell and curl would, as far as the demo goes: words in quotes, -H and -d.
func curl(t *testing.T, line string) *http.Request {
	t.Helper()
	var words []string
	for rest := line; rest != ""; rest = strings.TrimLeft(rest, " ") {
		var word string
		switch quote := rest[:1]; quote {
		case "'", `"`:
			word, rest, _ = strings.Cut(rest[1:], quote)
		default:
			word, rest, _ = strings.Cut(rest, " ")
		}
		words = append(words, word)
	}
	method, url, data, header := http.MethodGet, "", "", http.Header{}
	for i := 0; i < len(words); i++ {
		switch word := words[i]; {
		case word == "-H" && i+1 < len(words):
			i++
			name, value, _ := strings.Cut(words[i], ": ")
			header.Set(name, value)
		case (word == "-d" || word == "--data") && i+1 < len(words):
			i++
			method, data = http.MethodPost, words[i]
		case strings.HasPrefix(word, "http"):
			url = word
		}
	}
	r, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	r.Header = header
	return r
}

func TestWhatOutlastsTheGracePeriodIsEndedAndBooked(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		const key = "sk-5c1e9b7d20a84f36"
		config := serveConfig(simulated(t), key, "") + "  graceful_shutdown_timeout: 0.05\n"
		p, address := runningOn(t, d, nil, "--config", write(t, config), "--host", "127.0.0.1")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/v1/chat/completions",
			strings.NewReader(`{"model":"m","stream":true,"messages":[{"role":"user","content":"[[fault:stall-stream;after=3]]"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		p.stop() // the answer has begun, and never ends
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || !strings.Contains(string(body), `"code":"server_shutting_down"`) || strings.Contains(string(body), "[DONE]") {
			t.Errorf("%v %s", err, body)
		}
		if code := <-p.code; code != exitOK {
			t.Errorf("exit code %d: %s", code, p.err.text())
		}
		if n := d.Value(t, `SELECT count(*) FROM spend_logs WHERE usage_source = 'estimated' AND stream = 1`); n != "1" {
			t.Errorf("%s rows", n)
		}
	})
}

package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// messy writes JSON as nobody would: any white space anywhere, names that stand twice, escapes where none are needed, numbers
// in any form.
func messy(r *rand.Rand, depth int) string {
	blank := func() string { return strings.Repeat(string(" \t\r\n"[r.IntN(4)]), r.IntN(3)) }
	switch kind := r.IntN(7); {
	case kind == 0 && depth > 0:
		var parts []string
		for range r.IntN(4) {
			parts = append(parts, blank()+`"`+[]string{"a", "b", `\u0061`, "messages", "guardrailConfig", "ключ"}[r.IntN(6)]+`"`+blank()+":"+messy(r, depth-1))
		}
		return blank() + "{" + strings.Join(parts, ",") + blank() + "}" + blank()
	case kind == 1 && depth > 0:
		var parts []string
		for range r.IntN(4) {
			parts = append(parts, messy(r, depth-1))
		}
		return blank() + "[" + strings.Join(parts, ",") + blank() + "]" + blank()
	case kind == 2:
		return blank() + []string{"1", "-0", "1.0", "1e5", "1E+05", "12345678901234567890"}[r.IntN(6)] + blank()
	case kind == 3:
		return blank() + []string{"true", "false", "null"}[r.IntN(3)] + blank()
	}
	return blank() + []string{`""`, `"\/"`, `"\u00e9"`, `"é"`, `"<&>"`, `"\ud83d\ude00"`}[r.IntN(6)] + blank()
}

// TestNativeBodies relays whatever JSON it is, and what is none, in both directions, byte for byte.
func TestNativeBodies(t *testing.T) {
	var answer []byte
	up := &wireUp{do: func(w http.ResponseWriter) { _, _ = w.Write(answer) }}
	g := nativeRig(t, up, "")
	f := func(body []byte) {
		t.Helper()
		_, got := g.send(http.MethodPost, "/bedrock/model/my-model/invoke", string(body), bearer(testKey))
		if !bytes.Equal(up.body, body) || got != string(answer) {
			t.Fatalf("%d bytes became %d, %d became %d: %.300q", len(body), len(up.body), len(answer), len(got), body)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		answer = []byte(messy(r, 5))
		f([]byte(messy(r, 5)))
	}
	answer = bytes.Repeat([]byte("\x00\xff"), 1<<20)
	large := make([]byte, 24<<20)
	for i := range large {
		large[i] = byte(r.Uint32())
	}
	f(large)
	f([]byte(`{"text":"` + strings.Repeat("x", 24<<20) + `"}`))
}

// TestNativeGuardrailSpan changes nothing of a body but the guardrail that a deployment demands.
func TestNativeGuardrailSpan(t *testing.T) {
	up := &wireUp{do: func(w http.ResponseWriter) { _, _ = io.WriteString(w, plainAnswer) }}
	g := nativeRig(t, up, "")
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		body := "{" + strings.TrimLeft(messy(r, 4), "{")
		if !json.Valid([]byte(body)) {
			body = `{"x":` + messy(r, 4) + `, "guardrailConfig" :` + messy(r, 3) + `}`
		}
		var object map[string]json.RawMessage
		if json.Unmarshal([]byte(body), &object) != nil {
			continue
		}
		resp, answer := g.send(http.MethodPost, "/bedrock/model/guarded/converse", body, bearer(testKey))
		const ours = `{"guardrailIdentifier":"gr-own","guardrailVersion":"1"}`
		var got map[string]json.RawMessage
		if err := json.Unmarshal(up.body, &got); err != nil || resp.StatusCode != 200 || string(got["guardrailConfig"]) != ours {
			t.Fatalf("%d %v %s: %s became %s", resp.StatusCode, err, answer, body, up.body)
		}
		for name, value := range object {
			if name != "guardrailConfig" && !bytes.Equal(got[name], value) {
				t.Fatalf("%s became %s", body, up.body)
			}
		}
	}
}

// TestNativeHeaders sends every request header of InvokeModel's in AWS's service model, and those of other clients. All of them
// arrive, and what AWS signs is signed.
func TestNativeHeaders(t *testing.T) {
	up := &wireUp{do: func(w http.ResponseWriter) { _, _ = io.WriteString(w, plainAnswer) }}
	g := nativeRig(t, up, "")
	sent := map[string]string{
		"X-Amzn-Bedrock-Trace": "ENABLED_FULL", "X-Amzn-Bedrock-GuardrailIdentifier": "arn:aws:bedrock:us-east-1:1:guardrail/x", "X-Amzn-Bedrock-GuardrailVersion": "DRAFT",
		"X-Amzn-Bedrock-PerformanceConfig-Latency": "optimized", "X-Amzn-Bedrock-Service-Tier": "flex", "X-Amzn-Bedrock-Request-Metadata": `{"user_id":"u-1","a":"b"}`,
		"X-Amzn-Bedrock-Accept": "application/json", "Content-Type": "application/json", "Accept": "image/png", "Anthropic-Beta": "a,b", "Anthropic-Version": "2023-06-01",
		"X-Amz-Source-Arn": "arn:aws:lambda:x", "X-Amzn-Trace-Id": "Root=1-2", "Amz-Sdk-Invocation-Id": "i", "Amz-Sdk-Request": "attempt=1", "User-Agent": "Boto3/1",
		"X-Amzn-Bedrock-Of-Tomorrow": "yes",
	}
	for _, operation := range []string{"invoke", "invoke-with-response-stream", "converse"} {
		header := bearer(testKey)
		for name, value := range sent {
			header.Set(name, value)
		}
		g.send(http.MethodPost, "/bedrock/model/my-model/"+operation, `{}`, header)
		signed := up.header.Get("Authorization")
		for name, value := range sent {
			if got := up.header.Get(name); got != value && name != "User-Agent" {
				t.Errorf("%s: %s came as %q", operation, name, got)
			}
			if strings.HasPrefix(name, "X-Amz") && name != "X-Amzn-Trace-Id" && !slices.Contains(strings.Split(strings.NewReplacer("SignedHeaders=", "", ",", "").Replace(strings.Fields(signed)[2]), ";"), strings.ToLower(name)) {
				t.Errorf("%s: %s is not signed: %s", operation, name, signed)
			}
		}
		if r := g.books.next(t); r.User != "u-1" {
			t.Errorf("the end user is %q", r.User)
		}
	}
	_, _ = g.send(http.MethodPost, "/bedrock/model/my-model/converse", `{"requestMetadata":{"user_id":"u-2"},"messages":[]}`, bearer(testKey))
	if r := g.books.next(t); r.User != "u-2" {
		t.Errorf("the end user is %q", r.User)
	}
}

// TestNativeSecrets never writes a client's key or signature down.
func TestNativeSecrets(t *testing.T) {
	up := &wireUp{do: func(w http.ResponseWriter) { _, _ = io.WriteString(w, plainAnswer) }}
	g := nativeRig(t, up, "")
	header := http.Header{
		"Authorization": {"AWS4-HMAC-SHA256 Credential=" + testKey + "/20260801/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=cafecafe"},
		"X-Amz-Date":    {"20260801T000000Z"}, "X-Amz-Security-Token": {"their-token"}, "X-Amz-Content-Sha256": {"their-hash"}, "Cookie": {"session=theirs"},
	}
	g.send(http.MethodPost, "/bedrock/model/my-model/converse?X-Amz-Credential=theirs&x=1", `{}`, header)
	all := fmt.Sprint(up.header, up.query)
	for _, secret := range []string{testKey, "cafecafe", "their-token", "their-hash", "theirs"} {
		if strings.Contains(all, secret) || strings.Contains(g.logs.String(), secret) {
			t.Errorf("%q has travelled: %s", secret, all)
		}
	}
}

// TestNativeMethods passes every method, and answers a client that asks whether it may send its body.
func TestNativeMethods(t *testing.T) {
	g, up := servicesRig(t, ownKey, "")
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if resp, _ := g.send(method, "/bedrock/sessions/s?a=1&b=%2F", "", bearer(testKey)); resp.StatusCode != 200 || up.last.method != method || up.last.query != "a=1&b=%2F" {
			t.Errorf("%s: %d, %s?%s", method, resp.StatusCode, up.last.method, up.last.query)
		}
	}
	f := func(key string, wantInterim bool, status int) {
		t.Helper()
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(g.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		const body = `{"messages":[]}`
		fmt.Fprintf(conn, "POST /bedrock/model/m/converse HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", key, len(body))
		in := bufio.NewReader(conn)
		line, _ := in.ReadString('\n')
		if interim := strings.HasPrefix(line, "HTTP/1.1 100"); interim != wantInterim {
			t.Fatalf("%q", line)
		} else if interim {
			_, _ = in.ReadString('\n')
			_, _ = io.WriteString(conn, body)
			line, _ = in.ReadString('\n')
		}
		if !strings.HasPrefix(line, "HTTP/1.1 "+strconv.Itoa(status)) {
			t.Errorf("%q", line)
		}
		_, _ = io.Copy(io.Discard, in)
	}
	f(testKey, true, 200)
	if up.last.header.Get("Expect") != "" {
		t.Error("the client's question has travelled")
	}
	f("sk-wrong", false, 403) // before a byte of the body has come
}

// TestNativeClientsThatLeave are billed what AWS counts where the deployment drains, whichever event they leave at.
func TestNativeClientsThatLeave(t *testing.T) {
	var frames []string
	for i := range 8 {
		frames = append(frames, fmt.Sprintf(`contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"piece %d"}}`, i))
	}
	frames = append(frames, `metadata {"usage":{"inputTokens":7,"outputTokens":9,"totalTokens":16}}`)
	for _, drain := range []bool{true, false} {
		for leave := range frames {
			gone := make(chan struct{})
			up := &wireUp{do: func(w http.ResponseWriter) {
				w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
				w.WriteHeader(http.StatusOK)
				w.(http.Flusher).Flush()
				for i, one := range frames {
					if i == leave {
						<-gone
					}
					var b bytes.Buffer
					writeFrames(t, &b, one+"\n")
					_, _ = w.Write(b.Bytes())
					w.(http.Flusher).Flush()
				}
			}}
			g := nativeRig(t, up, "")
			for _, d := range g.server.Engine.All() {
				d.Drain = drain
			}
			ctx, cancel := context.WithCancel(t.Context())
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+"/bedrock/model/my-model/converse-stream", strings.NewReader(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Header = bearer(testKey)
			resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			if leave > 0 {
				_, _ = resp.Body.Read(make([]byte, 1)) // something has come
			}
			cancel()
			resp.Body.Close()
			if drain {
				close(gone)
			}
			rec := g.books.next(t) // without draining it comes while AWS still has something to say
			if !drain {
				close(gone)
			}
			if drain && (rec.Usage.Input != 7 || rec.Usage.Output != 9 || rec.Usage.Estimated) {
				t.Errorf("left at %d: %+v", leave, rec.Usage)
			}
			if !drain && (!rec.ClientClosed || rec.UsageSource.String() != "estimated") {
				t.Errorf("left at %d: closed %v, %+v", leave, rec.ClientClosed, rec.Usage)
			}
		}
	}
}

package telemetry

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestStoredBodies(t *testing.T) {
	content := func(messages, response string) *Content {
		c := &Content{Messages: json.RawMessage(messages), Parameters: json.RawMessage(`{"temperature":1}`)}
		if response != "" {
			c.Response = json.RawMessage(response)
		}
		return c
	}
	long := strings.Repeat("a word é ", 500)
	for name, test := range map[string]struct{ messages, response, wantRequest, wantResponse string }{
		"short":    {`[{"role":"user","content":"hi"}]`, `{"a":1}`, `{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":1}`, `{"a":1}`},
		"none":     {`"hi"`, "", `{"model":"m","messages":"hi","temperature":1}`, ""},
		"image":    {`["data:image/png;base64,QUJD\/RA=="]`, `{"b64_json":"` + strings.Repeat("QUJD", 100) + `"}`, `{"model":"m","messages":["data:image/png;base64,(10 characters left out)"],"temperature":1}`, `{"b64_json":"(400 characters of base64 left out)"}`},
		"secret":   {`[{"api_key":"c4n4ry"}]`, `{}`, `{"model":"m","messages":[{"api_key":"***"}],"temperature":1}`, `{}`},
		"broken":   {`["hi"`, `{"a`, `"{\"model\":\"m\",\"messages\":[\"hi\",\"temperature\":1}"`, `"{\"a"`},
		"surrogat": {`"\ud83d\ude00"`, `"\""`, `{"model":"m","messages":"\ud83d\ude00","temperature":1}`, `"\""`},
	} {
		b := content(test.messages, test.response).Stored("m", "messages", 2048)
		if strings.ReplaceAll(b.Request, `"****"`, `"***"`) != test.wantRequest || b.Response != test.wantResponse {
			t.Errorf("%s: got\n%s\n%s", name, b.Request, b.Response)
		}
	}

	b := content(fmt.Sprintf("%q", long), fmt.Sprintf("%q", long[1:])).Stored("m", "prompt", 100)
	for _, text := range []string{b.Request, b.Response} {
		if !json.Valid([]byte(text)) || len(text) > 300 || !strings.Contains(text, "... (litellm_truncated skipped ") {
			t.Errorf("got %s", text)
		}
	}
	if !strings.Contains(b.Request, `"prompt":"a word é a word`) || !strings.Contains(b.Request, `a word é ","temperature"`) {
		t.Errorf("got %s", b.Request)
	}

	b = content("["+strings.Repeat(`"é",`, MaxBody)+`"é"]`, "").Stored("m", "messages", 2048)
	var text string
	if json.Unmarshal([]byte(b.Request), &text) != nil || len(text) > MaxBody+100 || !strings.HasSuffix(text, " bytes in all)") || strings.ContainsRune(text, '\uFFFD') {
		t.Errorf("got %d bytes ending in %q", len(b.Request), b.Request[len(b.Request)-60:])
	}

	for _, c := range []*Content{nil, {Redacted: true}, {NoLog: true}} {
		if got := c.Stored("m", "messages", 100); got != nil {
			t.Errorf("%+v is stored: %+v", c, got)
		}
	}
}

// FuzzStored: what a client sends is kept as JSON, whatever it is.
func FuzzStored(f *testing.F) {
	for _, s := range []string{`[{"role":"user","content":"hi"}]`, `"data:image/png;base64,AA"`, `"\`, `"\u12`, "\xff", `{"a":"` + strings.Repeat(`\n`, 50) + `"}`} {
		f.Add([]byte(s), 20)
	}
	f.Fuzz(func(t *testing.T, body []byte, limit int) {
		b := (&Content{Messages: body, Response: body}).Stored("m", "messages", max(limit, 1))
		for _, text := range []string{b.Request, b.Response} {
			if text != "" && !json.Valid([]byte(text)) {
				t.Errorf("not JSON: %q", text)
			}
		}
	})
}

// TestKept is a body of AWS's words as it is told: whole but for credentials and base64, however long the strings are.
func TestKept(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := string(Kept([]byte(body))); got != want {
			t.Errorf("%.200s: got %.300s", body, got)
		}
	}
	words := strings.Repeat(`many \"words\" \\`, 10_000)
	f(`{"text":"`+words+`","api_key":"c4n\"4ry\\","n":[1,"a"]}`, `{"text":"`+words+`","api_key":"****","n":[1,"a"]}`)
	f(`{"bytes":"`+strings.Repeat("QUJD", 50_000)+`=="}`, `{"bytes":"(200002 characters of base64 left out)"}`)
	f(`{"bytes":"`+strings.Repeat("QUJD", 50)+`"}`, `{"bytes":"`+strings.Repeat("QUJD", 50)+`"}`)
	spaced := strings.Repeat("QUJD", 25_000) + " " + strings.Repeat("QUJD", 25_000)
	f(`{"text":"`+spaced+`"}`, `{"text":"`+spaced+`"}`)
	f(`{"text":"`+strings.Repeat("é", 50_000)+`"}`, `{"text":"`+strings.Repeat("é", 50_000)+`"}`)
	f(`{"a":"b\`, `{"a":"b\`)
	f(`"\""`, `"\""`)

	c := &Content{Request: []byte(`{"messages":[],"token":"c4n4ry"}`), Response: []byte(`{"a":1}`), Messages: []byte(`[]`)}
	if b := c.Stored("m", "messages", 100); b.Request != `{"messages":[],"token":"****"}` || b.Response != `{"a":1}` {
		t.Errorf("%+v", b)
	}
}

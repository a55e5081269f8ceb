package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/test/databases"
)

// kept sends a request and returns what the database then has of it: metadata of its client, and the address that it came from.
func (g *keyRig) kept(t *testing.T, path, body string, header http.Header) (metadata, ip, loss string) {
	t.Helper()
	resp, answer := g.send(http.MethodPost, path, body, header)
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s %s: %d %.300s", path, body, resp.StatusCode, answer)
	}
	metadata, ip = g.keptAs(t, resp.Header.Get("X-Litellm-Call-Id"))
	return metadata, ip, resp.Header.Get("X-Outcrop-Loss")
}

// keptAs returns the same of a call by its id.
func (g *keyRig) keptAs(t *testing.T, id string) (metadata, ip string) {
	t.Helper()
	var page struct {
		Data []struct {
			IP       *string `json:"requester_ip_address"`
			Metadata struct {
				Client json.RawMessage `json:"spend_logs_metadata"`
				IP     *string         `json:"requester_ip_address"`
			}
		}
	}
	g.books.written(t)
	_, text := g.send(http.MethodGet, "/spend/logs/v2?request_id="+id, "", bearer(testKey))
	if err := json.Unmarshal([]byte(text), &page); err != nil || len(page.Data) != 1 {
		t.Fatalf("%v %s", err, text)
	}
	row := page.Data[0]
	if row.IP != nil {
		ip = *row.IP
	}
	if (row.IP == nil) != (row.Metadata.IP == nil) || row.IP != nil && *row.IP != *row.Metadata.IP {
		t.Errorf("two addresses: %s", text)
	}
	return string(row.Metadata.Client), ip
}

func withHeader(h http.Header, name, value string) http.Header {
	h = h.Clone()
	h.Set(name, value)
	return h
}

// TestMetadataOfRows: what clients want to find in the row of a request is there, by each endpoint, with what their key and its
// team add, and so is where it came from.
func TestMetadataOfRows(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		const said = `"spend_logs_metadata":{"job":"aé\"","deep": {"n":[1, null]}}`
		const want = `{"job":"aé\"","deep":{"n":[1,null]}}`
		const hi = `"messages":[{"role":"user","content":"Hi"}]`
		master := bearer(testKey)
		for _, c := range []struct{ path, body string }{
			{"/v1/chat/completions", `{"model":"claude",` + hi + `,%s}`},
			{"/v1/chat/completions", `{"model":"claude","stream":true,` + hi + `,%s}`},
			{"/v1/chat/completions", `{"model":"claude","n":2,` + hi + `,"extra_body":{%s}}`},
			{"/v1/completions", `{"model":"claude","prompt":"Hi",%s}`},
			{"/v1/messages", `{"model":"claude","max_tokens":9,` + hi + `,%s}`},
			{"/v1/messages", `{"model":"nova","max_tokens":9,"stream":true,` + hi + `,%s}`},
			{"/v1/messages/count_tokens", `{"model":"claude",` + hi + `,%s}`},
			{"/v1/responses", `{"model":"claude","input":"Hi",%s}`},
			{"/v1/responses", `{"model":"nova","input":"Hi","stream":true,%s}`},
			{"/v1/embeddings", `{"model":"embed","input":"Hi",%s}`},
			{"/v1/rerank", `{"model":"bedrock/cohere.rerank-v3-5:0","query":"a","documents":["a"],%s}`},
			{"/v1/images/generations", `{"model":"bedrock/amazon.titan-image-generator-v2:0","prompt":"a",%s}`},
		} {
			for _, name := range []string{"metadata", "litellm_metadata"} {
				body := fmt.Sprintf(c.body, `"`+name+`":{`+said+`}`)
				if got, ip, loss := g.kept(t, c.path, body, master); got != want || ip != "127.0.0.1" || strings.Contains(loss, "metadata") {
					t.Errorf("%s %s: %s from %s, loss %s", c.path, body, got, ip, loss)
				}
			}
			body := fmt.Sprintf(c.body, `"litellm_metadata":{`+said+`},"metadata":{"spend_logs_metadata":{"other":1}}`)
			if got, _, _ := g.kept(t, c.path, body, master); got != want {
				t.Errorf("%s of two: %s", c.path, got)
			}
			if got, _, _ := g.kept(t, c.path, body, withHeader(master, "x-litellm-spend-logs-metadata", `{"job": "b"}`)); got != `{"job":"b"}` {
				t.Errorf("%s with a header: %s", c.path, got)
			}
		}
		for path, body := range map[string]string{
			"/bedrock/model/claude/converse":        `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`,
			"/bedrock/model/claude/converse-stream": `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`,
			"/bedrock/model/embed/invoke":           `{"inputText":"hi"}`,
		} {
			if got, ip, _ := g.kept(t, path, body, withHeader(master, "x-litellm-spend-logs-metadata", ` {"job": "b"} `)); got != `{"job":"b"}` || ip != "127.0.0.1" {
				t.Errorf("%s: %s from %s", path, got, ip)
			}
			if got, _, _ := g.kept(t, path, body, master); got != "null" {
				t.Errorf("%s without: %s", path, got)
			}
		}
		resp, body := g.form("/v1/images/edits", [][2]string{
			{"model", "bedrock/amazon.nova-canvas-v1:0"}, {"prompt", "a"}, {"@image", string(drawing(t, 64, 48, false))}, {"litellm_metadata", "{" + said + "}"},
		})
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		if got, _ := g.keptAs(t, resp.Header.Get("X-Litellm-Call-Id")); got != want {
			t.Errorf("a form: %s", got)
		}

		// A call that fails has it, too.
		resp, _ = g.send(http.MethodPost, "/v1/chat/completions", `{"model":"nope","metadata":{`+said+`},`+hi+`}`, master)
		if got, ip := g.keptAs(t, resp.Header.Get("X-Litellm-Call-Id")); resp.StatusCode != http.StatusNotFound || got != want || ip != "127.0.0.1" {
			t.Errorf("%d: %s from %s", resp.StatusCode, got, ip)
		}

		// What is set on a key and its team is in all their rows; the key's word goes before the team's, the client's before both.
		g.admin("/team/new", `{"team_id":"t","metadata":{"spend_logs_metadata":{"project":"team","cost_center":7,"who":"team"}}}`)
		key := bearer(g.key(`{"team_id":"t","metadata":{"spend_logs_metadata":{"project":"key","who":"key"}}}`))
		for _, c := range []struct{ said, want string }{
			{`"metadata":{}`, `{"cost_center":7,"project":"key","who":"key"}`},
			{`"metadata":{"spend_logs_metadata":{"who":"client","job":1}}`, `{"who":"client","job":1,"cost_center":7,"project":"key"}`},
			{`"metadata":{"spend_logs_metadata":{}}`, `{"cost_center":7,"project":"key","who":"key"}`},
			{`"metadata":{"spend_logs_metadata":{"cost_center":null,"project":0,"who":[]}}`, `{"cost_center":null,"project":0,"who":[]}`},
		} {
			if got, _, _ := g.kept(t, "/v1/chat/completions", `{"model":"claude",`+hi+`,`+c.said+`}`, key); got != c.want {
				t.Errorf("%s: %s, want %s", c.said, got, c.want)
			}
		}
		if got, _, _ := g.kept(t, "/bedrock/model/claude/converse", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, key); got != `{"cost_center":7,"project":"key","who":"key"}` {
			t.Errorf("a key's: %s", got)
		}
	})
}

// TestMetadataThatNoRowHas is left out, and said to be; it costs nobody an answer.
func TestMetadataThatNoRowHas(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		exact := `{"a":"` + strings.Repeat("x", account.MaxMetadata-len(`{"a":""}`)) + `"}`
		over := strings.Replace(exact, "x", "xx", 1)
		const text = "unsupported"
		for _, c := range []struct{ header, member, want, loss string }{
			{"", exact, exact, ""},
			{exact, "", exact, ""},
			{"", over, "", "spend_logs_metadata;why=too_large"},
			{over, "", "", "x-litellm-spend-logs-metadata;why=too_large"},
			{over, `{"a":1}`, `{"a":1}`, "x-litellm-spend-logs-metadata;why=too_large"},
			{"{", "", "", "x-litellm-spend-logs-metadata;why=" + text},
			{"[1]", "", "", "x-litellm-spend-logs-metadata;why=" + text},
			{"{} {}", "", "", "x-litellm-spend-logs-metadata;why=" + text},
			{"{\"a\":\"\xff\"}", "", "", "x-litellm-spend-logs-metadata;why=" + text},
			{"", `"text"`, "", "metadata.spend_logs_metadata;why=ignored"},
			{"", `null`, "", "metadata.spend_logs_metadata;why=ignored"},
			{"", `{}`, "{}", ""},
		} {
			h, body := bearer(testKey), `{"model":"claude","messages":[{"role":"user","content":"Hi"}]`
			if c.header != "" {
				h.Set("X-Litellm-Spend-Logs-Metadata", c.header)
			}
			if c.member != "" {
				body += `,"metadata":{"spend_logs_metadata":` + c.member + `}`
			}
			resp, answer := g.send(http.MethodPost, "/v1/chat/completions", body+"}", h)
			r := g.books.next(t)
			if got := resp.Header.Get("X-Outcrop-Loss"); resp.StatusCode != http.StatusOK || string(r.Metadata) != c.want || got != c.loss {
				t.Errorf("%.50s %.50s: %d, %.80s, loss %q, want %q %.200s", c.header, c.member, resp.StatusCode, r.Metadata, got, c.loss, answer)
			}
		}
		for _, path := range []string{"/key/generate", "/team/new"} {
			for _, member := range []string{over, `"text"`, `[1]`} {
				resp, body := g.post(path, `{"metadata":{"spend_logs_metadata":`+member+`}}`)
				if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, "8192 bytes") {
					t.Errorf("%s %.20s: %d %.300s", path, member, resp.StatusCode, body)
				}
			}
			g.admin(path, `{"metadata":{"spend_logs_metadata":null,"other":1}}`)
			g.admin(path, `{"metadata":{"spend_logs_metadata":`+exact+`}}`)
		}
	})
}

// TestAddressesOfRows: rows have the address of the client, which a trusted proxy may tell, unless the configuration says that
// they have none; those who watch are told all the same.
func TestAddressesOfRows(t *testing.T) {
	const forwarded = "  use_x_forwarded_for: true\n"
	for _, c := range []struct{ general, header, want string }{
		{"", "203.0.113.9", "127.0.0.1"},
		{forwarded, "", "127.0.0.1"},
		{forwarded, "198.51.100.1, 203.0.113.9", "203.0.113.9"},
		{forwarded, "::ffff:203.0.113.9", "203.0.113.9"},
		{forwarded, "[2001:DB8:0::1]:80", "2001:db8::1"},
		{forwarded, "nobody", "127.0.0.1"},
		{forwarded + "  trusted_proxy_ranges: [10.0.0.0/8]\n", "203.0.113.9", "127.0.0.1"},
		{forwarded + "  disable_requester_ip_address_logging: true\n", "203.0.113.9", ""},
		{"  disable_requester_ip_address_logging: true\n", "", ""},
	} {
		told := &watcher{}
		watchEngines = told
		g := newKeyRig(t, databases.SQLite(t).Open(t), "", c.general)
		watchEngines = nil
		h := bearer(testKey)
		if c.header != "" {
			h.Set("X-Forwarded-For", c.header)
		}
		g.send(http.MethodPost, "/v1/chat/completions", hello, h)
		if r := g.books.next(t); r.IP != c.want {
			t.Errorf("%q %q: a row has %q", c.general, c.header, r.IP)
		}
		if c.want == "" {
			if ip := told.take(t).Record.IP; ip == "" {
				t.Errorf("%q: those who watch are not told", c.general)
			}
		}
	}
}

package callbacks

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// logs are what Datadog has got.
func logs(t *testing.T, body []byte) []map[string]string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(plain) > datadogRequest {
		t.Errorf("a request has %d bytes", len(plain))
	}
	var list []map[string]string
	if err := json.Unmarshal(plain, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestDatadog(t *testing.T) {
	url, got := listen(t, func(int) (int, string) { return http.StatusAccepted, "{}" })
	c := started(t, Options{Wishes: []Wish{{Name: Datadog}}, Limits: Limits{Delay: 1 << 40}, Env: env(
		"DD_API_KEY=c4n4ry", "DD_SITE=datadoghq.eu", "DD_BASE_URL="+url, "DD_ENV=prod", "DD_SERVICE=gateway", "HOSTNAME=pod-1")})
	e := success()
	e.Tags, e.TeamAlias = []string{"Team: A & B", "x"}, "Core Team"
	c.Finished(e)
	c.Finished(failure())
	c.Close(t.Context())
	r := <-got
	if r.method != http.MethodPost || r.path != "/api/v2/logs" || r.header.Get("Dd-Api-Key") != "c4n4ry" || r.header.Get("Content-Encoding") != "gzip" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s %s %v", r.method, r.path, r.header)
	}
	list := logs(t, r.body)
	if len(list) != 2 {
		t.Fatalf("got %d logs", len(list))
	}
	first, second := list[0], list[1]
	const tags = "env:prod,service:gateway,version:unknown,HOSTNAME:pod-1,POD_NAME:unknown,request_tag:team:_a_b,request_tag:x,team:core_team"
	if first["ddsource"] != "litellm" || first["service"] != "gateway" || first["hostname"] != "pod-1" || first["status"] != "info" || first["ddtags"] != tags {
		t.Errorf("got %v", first)
	}
	var said struct {
		ID     string `json:"litellm_call_id"`
		Status string `json:"status"`
	}
	if err := json.Unmarshal([]byte(second["message"]), &said); err != nil || said.ID != "call-2" || said.Status != "failure" || second["status"] != "error" {
		t.Errorf("got %v %v", second, err)
	}
}

func TestDatadogsBounds(t *testing.T) {
	url, got := listen(t, func(n int) (int, string) {
		if n == 0 { // once its bounds are tighter than we know
			return http.StatusRequestEntityTooLarge, ""
		}
		return http.StatusAccepted, ""
	})
	o := Options{Env: env("LITELLM_DD_AGENT_HOST=agent", "DD_BASE_URL="+url)}
	d, err := newDatadog(&o)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	long := func(n int) *telemetry.Event {
		e := success()
		content := *e.Content
		content.Messages = json.RawMessage(`"` + strings.Repeat("x", n) + `"`)
		e.Content = &content
		return e
	}
	batch := []*telemetry.Event{long(10), long(datadogLog), long(800_000), long(800_000), long(800_000), long(800_000), long(800_000), long(800_000)}
	if left, err := d.Send(t.Context(), batch); err != nil && left != nil {
		t.Fatal(left, err)
	}
	sizes := []int{}
	texts := 0
	for range len(got) {
		r := <-got
		list := logs(t, r.body)
		sizes = append(sizes, len(list))
		for _, one := range list {
			if strings.Contains(one["message"], `"left out: 900002 bytes"`) {
				texts++
			}
		}
		if r.header.Get("Dd-Api-Key") != "" {
			t.Error("there is no key")
		}
	}
	if !slices.Equal(sizes, []int{6, 3, 3, 2}) || texts != 2 {
		t.Errorf("%v logs were sent, %d of them cut", sizes, texts)
	}
}

func TestDatadogIsAway(t *testing.T) {
	url, _ := listen(t, func(n int) (int, string) { return []int{http.StatusForbidden, http.StatusBadRequest}[n%2], "" })
	d, err := newDatadog(&Options{Env: env("DD_API_KEY=k", "DD_SITE=x", "DD_BASE_URL="+url)})
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	batch := []*telemetry.Event{success(), success()}
	if left, err := d.Send(t.Context(), batch); len(left) != 2 || err == nil { // a wrong key can be mended
		t.Errorf("left %d, %v", len(left), err)
	}
	if left, err := d.Send(t.Context(), batch); len(left) != 0 || err == nil {
		t.Errorf("left %d, %v", len(left), err)
	}
}

func TestEndpointsOfTheConfigurationsOwn(t *testing.T) {
	url, got := listen(t, nil)
	f := func(format string, check func(t *testing.T, bodies []string)) {
		t.Helper()
		c := started(t, Options{
			Wishes: []Wish{{Name: "mine", NoContents: true}}, Limits: Limits{Delay: 1 << 40}, WebhookHeaders: map[string]secret.Secret{"X-All": secret.New("all"), "X-One": secret.New("all")},
			APIs: map[string]API{"mine": {Endpoint: secret.New(url + "/mine?token=c4n4ry"), Format: format, Headers: map[string]secret.Secret{"X-One": secret.New("one")}}},
		})
		c.Finished(success())
		c.Finished(failure())
		if _, ok := c.Stats()["mine"]; !ok {
			t.Error("the queue has no counters under its name")
		}
		c.Close(t.Context())
		var bodies []string
		for range len(got) {
			r := <-got
			bodies = append(bodies, string(r.body))
			if r.path != "/mine" || r.header.Get("X-All") != "all" || r.header.Get("X-One") != "one" {
				t.Errorf("got %s %v", r.path, r.header)
			}
			if strings.Contains(string(r.body), "hello") {
				t.Error("it is told what was said")
			}
		}
		check(t, bodies)
	}
	f("", func(t *testing.T, bodies []string) {
		t.Helper()
		if len(bodies) != 1 || !strings.HasPrefix(bodies[0], `[{"id":`) {
			t.Errorf("got %v", bodies)
		}
	})
	f(FormatLines, func(t *testing.T, bodies []string) {
		t.Helper()
		if len(bodies) != 1 || strings.Count(bodies[0], "\n") != 2 || !json.Valid([]byte(strings.SplitN(bodies[0], "\n", 2)[0])) {
			t.Errorf("got %v", bodies)
		}
	})
	f(FormatSingle, func(t *testing.T, bodies []string) {
		t.Helper()
		if len(bodies) != 2 || !json.Valid([]byte(bodies[0])) || !strings.Contains(bodies[1], `"litellm_call_id":"call-2"`) {
			t.Errorf("got %v", bodies)
		}
	})
	for _, api := range []API{{}, {Endpoint: secret.New("c4n4ry")}} {
		problems := Check(Options{Wishes: []Wish{{Name: "mine"}}, APIs: map[string]API{"mine": api}})
		if err := problems["mine"]; err == nil || strings.Contains(err.Error(), "c4n4ry") || !strings.HasPrefix(err.Error(), "callback_settings.mine.endpoint ") {
			t.Errorf("got %v", err)
		}
	}
}

func TestNobodyIsToldWhereTheClientWantsIt(t *testing.T) {
	url, got := listen(t, nil)
	c := started(t, Options{Wishes: []Wish{{Name: GenericAPI}}, Env: env("GENERIC_LOGGER_ENDPOINT=" + url), Limits: Limits{Delay: 1 << 40}})
	e := success()
	e.Content.NoLog = true
	c.Finished(e)
	c.Close(t.Context())
	if len(got) != 0 {
		t.Error("somebody was told")
	}
}

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/test/servers"
)

// A soft budget that a call crosses is told while the gateway runs, once, and what is left of budgets stands on /metrics.
func TestBudgetsAreTold(t *testing.T) {
	const master, canary = "sk-5c1e9b7d20a84f36", "c4n4ry5ecret"
	got := make(chan string, 100)
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.URL.Path + " " + string(body)
	}))
	defer sink.Close()
	config := strings.Replace(serveConfig(simulated(t), master, ""), "general_settings:", `general_settings:
  alerting: [webhook, slack]
  alert_types: [budget_alerts]`, 1) + `
litellm_settings:
  custom_prometheus_metadata_labels: [metadata.department]
  prometheus_metrics_config:
    - {group: all, metrics: [litellm_requests_metric], include_labels: [metadata_department, api_key_alias]}
    - {group: budgets, metrics: [litellm_remaining_api_key_budget_metric, litellm_api_key_max_budget_metric]}
`
	p, address := running(t, map[string]string{"WEBHOOK_URL": sink.URL + "/hook", "SLACK_WEBHOOK_URL": sink.URL + "/services/" + canary}, "--config", write(t, config), "--host", "127.0.0.1")
	key := generate(t, address, master, `{"key_alias":"ci","soft_budget":0.0000000001,"max_budget":1000,"metadata":{"department":"law"}}`)
	for range 2 {
		if status, text := post(t, address, key, `{"model":"m","no-log":true,"messages":[{"role":"user","content":"Hello!"}]}`); status != 200 {
			t.Fatalf("%d %s", status, text)
		}
	}
	seen := map[string]string{}
	for range 2 {
		text := <-got
		if strings.Contains(text, key) || strings.Contains(text, master) {
			t.Errorf("a key is told: %s", text)
		}
		path, body, _ := strings.Cut(text, " ")
		seen[path] = body
	}
	var event struct {
		Event string  `json:"event"`
		Group string  `json:"event_group"`
		Alias string  `json:"key_alias"`
		Token string  `json:"token"`
		Spend float64 `json:"spend"`
		Soft  float64 `json:"soft_budget"`
	}
	if err := json.Unmarshal([]byte(seen["/hook"]), &event); err != nil {
		t.Fatal(err, seen)
	}
	if event.Event != "soft_budget_crossed" || event.Group != "key" || event.Alias != "ci" || len(event.Token) != 64 || event.Spend <= 0 || event.Soft != 1e-10 {
		t.Errorf("the webhook got %s", seen["/hook"])
	}
	if !strings.Contains(seen["/services/"+canary], "Soft Budget Crossed") {
		t.Errorf("Slack got %v", seen)
	}
	page := get(t, address+"/metrics", master)
	for _, line := range []string{
		`litellm_requests_metric_total{api_key_alias="ci",metadata_department="law"} 2`, `litellm_api_key_max_budget_metric{api_key_alias="ci",hashed_api_key="` + event.Token + `"} 1000`,
		`litellm_remaining_api_key_budget_metric{api_key_alias="ci",hashed_api_key="` + event.Token + `"} 999.9`,
	} {
		if !strings.Contains(page, line) {
			t.Errorf("the page lacks %s:\n%s", line, page)
		}
	}
	if strings.Contains(page, "litellm_spend_metric") {
		t.Error("the page has what nobody asked for")
	}
	p.end(t)
	if close(got); len(got) > 0 {
		t.Errorf("one event is told twice: %s", <-got)
	}
	if strings.Contains(p.err.text(), canary) {
		t.Error("the address of a place is in the log")
	}
}

// get asks for a page as the holder of a key.
func get(t *testing.T, url, key string) string {
	t.Helper()
	status, body := fetch(t, url, key)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	return body
}

func TestCheckNamesAlertsThatDoNotArrive(t *testing.T) {
	config := strings.Replace(serveConfig("http://127.0.0.1:1", "sk-5c1e9b7d20a84f36", ""), "general_settings:", "general_settings:\n  alerting: [webhook, slack]\n  alert_types: [budget_alerts, llm_too_slow]", 1)
	p := start(t, map[string]string{"SLACK_WEBHOOK_URL": "https://hooks.example/x"}, "check", "--config", write(t, config))
	<-p.code
	for _, want := range []string{"warning: alerts do not arrive: the variable WEBHOOK_URL is not set", "warning: alerts of the type llm_too_slow are not sent"} {
		if !strings.Contains(p.out.text(), want) {
			t.Errorf("no line %q in %s", want, p.out.text())
		}
	}
}

// A soft budget of a key that calls two gateways is told, and refuses nothing, where they count together.
func TestASoftBudgetOfTwoGateways(t *testing.T) {
	got := make(chan string, 100)
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}))
	defer sink.Close()
	database, shared := servers.StartPostgres(t), servers.StartValkey(t)
	vars := map[string]string{"DATABASE_URL": database.Database(t), "REDIS_URL": shared.URL, "WEBHOOK_URL": sink.URL}
	const master = "sk-limits-0123456789abcdef"
	config := write(t, serveConfig(simulated(t), master, "")+"  coordination_redis: {socket_timeout: 30}\n  alerting: [webhook]\n")
	a, first := running(t, vars, "--config", config, "--host", "127.0.0.1")
	b, second := running(t, vars, "--config", config, "--host", "127.0.0.1")
	key := generate(t, first, master, `{"soft_budget":0.00001}`) // which is less than two calls cost: each gateway knows at least what it has spent itself
	know(t, key, first, second)
	if answers := burst(60, key, first, second); answers[http.StatusOK] != 60 {
		t.Fatalf("of 60 requests %v: a soft budget refuses nothing", answers)
	}
	for told := map[string]bool{}; !told["soft_budget_crossed"]; {
		var event struct {
			Event string  `json:"event"`
			Spend float64 `json:"spend"`
		}
		if err := json.Unmarshal([]byte(<-got), &event); err != nil {
			t.Fatal(err)
		}
		told[event.Event] = true
		if event.Event == "soft_budget_crossed" && event.Spend < 0.00001 {
			t.Errorf("it was told at %v", event.Spend)
		}
	}
	a.end(t)
	b.end(t)
}

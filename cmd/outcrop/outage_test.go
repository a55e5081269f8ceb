package main

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/test/databases"
	"github.com/outcrop-ai/outcrop/test/servers"
)

const (
	outageKey = "sk-5c1e9b7d20a84f36"
	// nobodysKey has the form of a key that the gateway makes, and is none.
	nobodysKey = "sk-0123456789abcdefghijABCDEFGHIJ0123456789abc"
)

// manage sends an administrator's request and returns the status of its answer.
func manage(t *testing.T, url, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+outageKey)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// becomes asks with a key until the answer has a status, and fails when that takes longer than a store's time for recovery. It
// returns how many requests were answered by the model.
func becomes(t *testing.T, url, key string, want int) (answered int) {
	t.Helper()
	end := time.After(8 * time.Second)
	for {
		got, body := post(t, url, key, ask)
		if got == http.StatusOK {
			answered++
		}
		if got == want {
			return answered
		}
		select {
		case <-end:
			t.Fatalf("%d %s, want %d", got, body, want)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// outage checks what a gateway does whose database goes away and comes back: known keys go on, a key that cannot be looked up
// is 503 and never 401, nothing can be managed, and afterwards all is as it was without a restart.
//
// hangs says that the database does not even refuse: what waits for it takes its time.
func outage(t *testing.T, d databases.Database, hangs bool, away func() (back func())) {
	t.Helper()
	folder := t.TempDir()
	config := write(t, serveConfig(simulated(t), outageKey, ""))
	p, url := runningOn(t, d, nil, "--config", config, "--host", "127.0.0.1", "--data-dir", folder)
	answered := becomes(t, url, outageKey, 200)
	known := generate(t, url, outageKey, `{"max_budget":1000,"rpm_limit":100000}`)
	answered += becomes(t, url, known, 200)
	becomes(t, url, nobodysKey, 401)
	d.Becomes(t, `SELECT count(*) FROM spend_logs WHERE http_status = 200`, strconv.Itoa(answered))

	back := away()
	next := func(key string, want int) {
		t.Helper()
		if got, body := post(t, url, key, ask); got != want {
			t.Errorf("%d %s, want %d", got, body, want)
		}
		if want == 200 {
			answered++
		}
	}
	next(known, 200)
	becomes(t, url, nobodysKey, 503)
	next(known, 200)
	next(outageKey, 200)
	next("sk-none", 401) // no key can be that
	if !hangs {
		if got, body := manage(t, url, "/key/generate", `{}`); got != 503 {
			t.Errorf("%d %s", got, body)
		}
		within(t, url+"/health/readiness", outageKey, "Not connected")
	}

	// A gateway that starts meanwhile knows what the one before it knew.
	other, second := running(t, on(d, nil), "--config", config, "--host", "127.0.0.1", "--data-dir", folder)
	if got, body := post(t, second, known, ask); got != 200 {
		t.Errorf("%d %s", got, body)
	}
	if got, body := post(t, second, nobodysKey, ask); got != 503 {
		t.Errorf("%d %s", got, body)
	}
	answered++

	back()
	for _, url := range []string{url, second} {
		becomes(t, url, nobodysKey, 401)
		within(t, url+"/health/readiness", outageKey, `"db":"connected"`)
		if got, body := manage(t, url, "/key/generate", `{}`); got != 200 {
			t.Errorf("%d %s", got, body)
		}
	}
	if got, body := manage(t, second, "/key/block", `{"key":"`+known+`"}`); got != 200 {
		t.Errorf("%d %s", got, body)
	}
	answered += becomes(t, url, known, 401)
	p.end(t)
	other.end(t)
	if got := d.Value(t, `SELECT count(*) FROM spend_logs WHERE http_status = 200`); got != strconv.Itoa(answered) {
		t.Errorf("%s rows, want %d", got, answered)
	}
}

func TestKeysWhileTheDatabaseIsAway(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) { outage(t, d, false, func() func() { return d.Away(t) }) })
}

// TestKeysWhilePostgresIsPaused: connections stay open, and nobody answers them.
func TestKeysWhilePostgresIsPaused(t *testing.T) {
	server := servers.StartPostgres(t)
	outage(t, databases.Database{Name: "postgres", URL: server.Database(t)}, true, func() func() {
		server.Pause()
		return server.Resume
	})
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/journal"
	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/test/databases"
)

const booksKey = "sk-5c1e9b7d20a84f36"

type away struct{}

func (away) Append(context.Context, []account.Record) error { return errors.New("away") }

// keepRows puts records through a ledger whose log stays as a killed process would leave it.
func keepRows(t *testing.T, log *journal.Log, sink account.Sink, ids ...string) {
	t.Helper()
	l := account.NewLedger(sink, account.LedgerOptions{Log: log})
	for i, id := range ids {
		l.Add(account.Record{CallID: id, Start: time.Unix(1_800_000_000, int64(i)*1000), End: time.Unix(1_800_000_001, 0)})
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestLedgerVerify(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		dir := t.TempDir()
		store, vars, folder := d.Open(t), on(d, nil), filepath.Join(dir, "outcrop.wal")
		if d.Name == "sqlite" {
			folder = strings.TrimSuffix(d.Path(), ".db") + ".wal"
		}
		log, err := journal.Open(folder, journal.Options{Sync: journal.SyncNone})
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		verify := func(code int, text string, numbers map[string]int) {
			t.Helper()
			got, stdout, stderr := command(t, vars, "", "ledger", "verify", "--data-dir", dir)
			if got != code || !strings.Contains(stdout, text) || (code == exitFinding) != strings.Contains(stderr, "not sound") {
				t.Errorf("%d: want %d and %q in\n%s%s", got, code, text, stdout, stderr)
			}
			got, stdout, _ = command(t, vars, "", "ledger", "verify", "--data-dir", dir, "--json")
			var v map[string]any
			if err := json.Unmarshal([]byte(stdout), &v); err != nil || got != code || v["sound"] != (code == exitOK) {
				t.Errorf("%d %v %s", got, err, stdout)
			}
			for name, want := range numbers {
				n := -1
				switch value := v[name].(type) {
				case float64:
					n = int(value)
				case []any:
					n = len(value)
				}
				if n != want {
					t.Errorf("%s is %v, want %d: %s", name, v[name], want, stdout)
				}
			}
		}
		verify(exitOK, "       0  rows wait", map[string]int{"rows": 0, "files": 0})
		keepRows(t, log, store, "a", "b", "c")
		verify(exitOK, "       3  rows of the log are in the database", map[string]int{"rows": 3, "shipped": 3, "waiting": 0, "missing": 0, "doubled": 0})
		keepRows(t, log, away{}, "d")
		verify(exitOK, "       1  rows wait", map[string]int{"rows": 4, "shipped": 3, "waiting": 1, "waiting_but_written": 0})

		// SQLite keeps rows in another form, of which spend_logs is a view. The lower bits of an id tell calls of one microsecond apart.
		remove, double := []string{`DELETE FROM spend_logs WHERE litellm_call_id = 'b'`}, []string{fmt.Sprintf(`INSERT INTO spend_logs (litellm_call_id, entry, %[1]s) SELECT litellm_call_id, entry + 1, %[1]s FROM spend_logs WHERE litellm_call_id = 'a'`,
			`"startTime", "endTime", http_status, usage_source, input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, completion_tokens, reasoning_tokens, total_tokens, cache_split, stream, client_closed, upstream_us, own_us, input_images, queries, images_made`)}
		if d.Name == "sqlite" {
			remove = []string{`DELETE FROM spend_rows WHERE id = (SELECT id FROM spend_logs WHERE litellm_call_id = 'b')`}
			double = []string{
				`INSERT INTO spend_rows (id, total_tokens, duration_us, data) SELECT id + iif(id & 512, -512, 512), total_tokens, duration_us, json_set(data, '$.entry', entry + 100) FROM spend_logs WHERE litellm_call_id = 'a'`,
				`INSERT INTO spend_ids (hash, id) SELECT hash, id + iif(id & 512, -512, 512) FROM spend_ids JOIN spend_logs USING (id) WHERE litellm_call_id = 'a'`,
			}
		}
		for _, statement := range remove {
			d.Execute(t, statement)
		}
		verify(exitFinding, "missing  b/", map[string]int{"missing": 1, "doubled": 0})
		for _, statement := range double {
			d.Execute(t, statement)
		}
		verify(exitFinding, "doubled  a/", map[string]int{"missing": 1, "doubled": 1})

		segments, err := filepath.Glob(filepath.Join(log.Dir(), "*.log"))
		if err != nil || len(segments) != 1 {
			t.Fatalf("%v %v", segments, err)
		}
		data, err := os.ReadFile(segments[0])
		if err != nil {
			t.Fatal(err)
		}
		data[40] ^= 1
		if err := os.WriteFile(segments[0], data, 0o600); err != nil {
			t.Fatal(err)
		}
		verify(exitFinding, "       1  places of the log are damaged", map[string]int{"damaged": 1})
	})
}

func TestLedgerSaysWhatItCan(t *testing.T) {
	f := func(code int, want string, args ...string) {
		t.Helper()
		got, stdout, stderr := command(t, nil, "", append([]string{"ledger"}, args...)...)
		if got != code || !strings.Contains(stdout+stderr, want) {
			t.Errorf("%v: %d %s%s", args, got, stdout, stderr)
		}
	}
	f(exitOK, "verify   compare")
	f(exitOK, "verify   compare", "help")
	f(exitOK, "--data-dir", "verify", "--help")
	f(exitUsage, "did you mean verify?", "verfy")
	f(exitUsage, `unexpected argument "x"`, "verify", "x")
	f(exitUsage, "it cannot be read: no such file", "verify", "--data-dir", t.TempDir())
}

// untilAnswered asks until the gateway refuses no more. Nobody else reads its log meanwhile.
func untilAnswered(t *testing.T, p *process, address string) {
	t.Helper()
	for status := 0; status != http.StatusOK; {
		if t.Context().Err() != nil {
			t.Fatal("requests are refused for ever")
		}
		status, _ = post(t, address, booksKey, ask)
		for len(p.err.came) > 0 {
			<-p.err.came
		}
	}
}

func readiness(t *testing.T, address string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/health/readiness", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := make([]byte, 200)
	n, _ := resp.Body.Read(body)
	return resp.StatusCode, string(body[:n])
}

// TestADatabaseThatIsNotThereDelaysRowsOnly: not there at the start, and taken away later.
func TestADatabaseThatIsNotThereDelaysRowsOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "outcrop.db")
	if err := os.Mkdir(path, 0o700); err != nil { // in the database's place
		t.Fatal(err)
	}
	p, address := running(t, nil, "--config", write(t, serveConfig(simulated(t), booksKey, "")), "--host", "127.0.0.1", "--data-dir", dir)
	ask3 := func() {
		t.Helper()
		for range 3 {
			if status, body := post(t, address, booksKey, ask); status != 200 {
				t.Errorf("%d %s", status, body)
			}
		}
	}
	ask3()
	if status, body := readiness(t, address); status != 200 || body != `{"status":"healthy","db":"Not connected"}` {
		t.Errorf("%d %s", status, body)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	fileIn(dir).Becomes(t, `SELECT count(*) FROM spend_logs`, "3")

	for _, name := range []string{"outcrop.db", "outcrop.db-wal", "outcrop.db-shm"} { // as a restore of a backup begins
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, "old-"+name)); err != nil {
			t.Fatal(err)
		}
	}
	ask3()
	fileIn(dir).Becomes(t, `SELECT count(*) FROM spend_logs`, "3")
	p.end(t)
	for _, want := range []string{"rows wait in the log: the database cannot be opened", "was removed or replaced"} {
		if !strings.Contains(p.err.text(), want) {
			t.Errorf("%q is not in\n%s", want, p.err.text())
		}
	}
}

// TestAGatewayThatMustNotGoWithoutRowsDoesNotStartWithoutALog: that is what ledger_on_full: refuse says.
func TestAGatewayThatMustNotGoWithoutRowsDoesNotStartWithoutALog(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		dir := t.TempDir()
		if d.Name == "sqlite" {
			dir = filepath.Dir(d.Path())
		}
		if err := os.WriteFile(filepath.Join(dir, "outcrop.wal"), nil, 0o600); err != nil { // in the log's place
			t.Fatal(err)
		}
		url := simulated(t)
		config := serveConfig(url, booksKey, "")
		code, _, stderr := command(t, on(d, nil), "", "--config", write(t, config+"  ledger_on_full: refuse\n"), "--port", "0", "--data-dir", dir)
		if code != exitUsage || !strings.Contains(stderr, "outcrop.wal") || !strings.Contains(stderr, "ledger_dir") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%d %s", code, stderr)
		}
		p, address := runningOn(t, d, nil, "--config", write(t, config), "--host", "127.0.0.1", "--data-dir", dir)
		if status, body := post(t, address, booksKey, ask); status != 200 {
			t.Errorf("%d %s", status, body)
		}
		p.end(t)
		if n := d.Value(t, `SELECT count(*) FROM spend_logs`); n != "1" || !strings.Contains(p.err.text(), "their log cannot be opened") {
			t.Errorf("%s rows: %s", n, p.err.text())
		}
	})
}

// TestAFullLogRefusesRequestsOrDropsRows: a small log, and a database that takes nothing for a while.
func TestAFullLogRefusesRequestsOrDropsRows(t *testing.T) {
	for policy, status := range map[string]int{"refuse": 503, "drop": 200} {
		t.Run(policy, func(t *testing.T) {
			databases.Each(t, func(t *testing.T, d databases.Database) {
				back := d.Away(t)
				config := serveConfig(simulated(t), booksKey, "") + "  ledger_max_size_mb: 0.02\n  ledger_sync: none\n  ledger_on_full: " + policy + "\n"
				p, address := running(t, on(d, nil), "--config", write(t, config), "--host", "127.0.0.1")
				answered := 0
				for range 100 {
					got, body := post(t, address, booksKey, ask)
					switch {
					case got == http.StatusOK:
						answered++
					case got != status || !strings.Contains(body, `"code":"ledger_full"`):
						t.Errorf("%d %s", got, body)
					}
				}
				ready, _ := readiness(t, address)
				if ready != status || (status == 200) != (answered == 100) || answered < 20 {
					t.Errorf("%d answered, readiness %d", answered, ready)
				}
				back()
				if status != 200 { // all that was answered, and then the gateway answers again
					d.Becomes(t, `SELECT count(*) FROM spend_logs`, fmt.Sprint(answered))
					untilAnswered(t, p, address)
				}
				p.end(t)
				if log := p.err.text(); strings.Count(log, "the log of spend records takes no more") != 1 || (status == 200) != strings.Contains(log, "spend records lost") {
					t.Errorf("%s", log)
				}
			})
		})
	}
}

// TestAFullDisk is about a real one, which only an administrator can make.
func TestAFullDisk(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		disk := t.TempDir()
		if err := mountSmall(disk); err != nil {
			t.Skipf("a small disk cannot be mounted: %v", err)
		}
		defer func() {
			if err := unmount(disk); err != nil {
				t.Error(err)
			}
		}()
		bedrock := sim.New(sim.Options{})
		upstream, err := bedrock.Start()
		if err != nil {
			t.Fatal(err)
		}
		defer bedrock.Close()
		config := serveConfig(upstream, booksKey, "") + "  ledger_dir: " + filepath.Join(disk, "wal") + "\n"
		p, address := runningOn(t, d, nil, "--config", write(t, config), "--host", "127.0.0.1")
		if status, body := post(t, address, booksKey, ask); status != 200 {
			t.Errorf("%d %s", status, body)
		}
		filler := filepath.Join(disk, "filler")
		for size := 64 << 10; size > 0; size /= 2 { // until not a byte is left
			file, err := os.OpenFile(filler, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			for err == nil {
				_, err = file.Write(make([]byte, size))
			}
			_ = file.Close()
		}
		refused := false
		for range 50 { // what is left of the last page takes some
			status, body := post(t, address, booksKey, ask)
			if refused = status == 503; refused {
				if !strings.Contains(body, "ledger_full") {
					t.Errorf("%s", body)
				}
				break
			}
		}
		if !refused {
			t.Error("no request is refused")
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		untilAnswered(t, p, address)
		p.end(t)
		log := p.err.text()
		answered := 0
		for line := range strings.Lines(log) {
			if strings.Contains(line, "/chat/completions") && strings.Contains(line, "status=200") {
				answered++
			}
		}
		if n := d.Value(t, `SELECT count(*) FROM spend_logs`); n != fmt.Sprint(answered) || !strings.Contains(log, "no space left") || !strings.Contains(log, "takes records again") {
			t.Errorf("%s rows of %d: %s", n, answered, log)
		}
	})
}

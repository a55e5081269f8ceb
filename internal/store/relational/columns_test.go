package relational_test

import (
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/storetest"
	"github.com/outcrop-ai/outcrop/test/databases"
)

func TestMain(m *testing.M) { databases.Main(m) }

// TestColumnsThatPeopleRead: who reads the table past the gateway finds LiteLLM's columns, computed ones included.
func TestColumnsThatPeopleRead(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		s := d.Open(t)
		if err := s.Append(t.Context(), []account.Record{storetest.FullRecord(), {CallID: "bare", Start: time.UnixMicro(5), End: time.UnixMicro(5)}}); err != nil {
			t.Fatal(err)
		}
		f := func(id, column, want string) {
			t.Helper()
			if got := d.Value(t, "SELECT coalesce(CAST("+column+" AS TEXT), 'NULL') FROM spend_logs WHERE litellm_call_id = '"+id+"'"); got != want {
				t.Errorf("%s of %s is %s, want %s", column, id, got, want)
			}
		}
		f("call", "spend_pico", "46350000001")
		f("call", "spend", "0.046350000001")
		f("call", "prompt_tokens", "10000")
		f("call", "total_tokens", "10500")
		f("call", "status", "failure")
		f("call", "request_duration_ms", "1500")
		f("call", `"startTime"`, "1785585600123456")
		f("call", `"completionStartTime"`, "1785585600373456")
		f("call", "api_key", account.MasterKeyHash)
		f("call", "model_id", "d1")
		f("call", "model_group", "group")
		f("call", "request_tags", `["a","b\""]`)
		f("call", "custom_llm_provider", "bedrock")
		f("bare", "spend_pico", "NULL")
		f("bare", "spend", "NULL")
		f("bare", "status", "success")
		f("bare", "usage_source", "none")
		f("bare", `"completionStartTime"`, "NULL")
		f("bare", "request_tags", "NULL")
	})
}

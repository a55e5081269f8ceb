package gateway

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// TestARowHasEachLine shows what is paid for beside tokens in a row and in CSV, each by itself.
func TestARowHasEachLine(t *testing.T) {
	r := account.Record{
		Cost: 91_000_000_000, CostKnown: true, UsageSource: account.UsageAWS, Metadata: json.RawMessage(`{"job":7}`),
		Usage: llm.Usage{
			Input: 10, Output: 30, Reasoning: 10, VideoIn: 12_500 * time.Millisecond, AudioIn: time.Second, VideoMade: 6 * time.Second, Searches: 2, Time: 1_234_567_890,
		},
		Lines: account.Lines{
			Input: 1_000_000_000, Output: 3_000_000_000, VideoIn: 7_000_000_000, AudioIn: 11_000_000_000, VideoMade: 13_000_000_000, Searches: 17_000_000_000, Time: 39_000_000_000,
		},
	}
	data, err := json.Marshal(newSpendRow(&r))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"input_video_seconds":12.5`, `"input_audio_seconds":1,`, `"video_seconds":6,`, `"web_search_requests":2`, `"billed_seconds":1.23456789`,
		`"input_video_cost":0.007`, `"input_audio_cost":0.011`, `"video_cost":0.013`, `"tool_usage_cost":0.017`, `"time_cost":0.039`, `"reasoning_cost":0.001`, `"total_cost":0.091`,
	} {
		if !strings.Contains(string(data), want) {
			t.Errorf("%s is not in %s", want, data)
		}
	}
	if strings.Contains(string(data), "uncounted") {
		t.Errorf("%s", data)
	}
	columns, values := rowColumns(), rowValues(&r)
	if len(columns) != len(values) {
		t.Fatalf("%d columns, %d values", len(columns), len(values))
	}
	last := len(columns) - 6
	if got := strings.Join(columns[last:], " ") + " | " + strings.Join(values[last:], " "); got != "input_video_seconds input_audio_seconds video_seconds web_searches billed_seconds spend_logs_metadata | 12.5 1 6 2 1.23456789 {\"job\":7}" {
		t.Error(got)
	}

	r = account.Record{UsageSource: account.UsageAWS, Usage: llm.Usage{Output: 5, Uncounted: true}}
	if data, err = json.Marshal(newSpendRow(&r)); err != nil || !strings.Contains(string(data), `"uncounted":true`) || !strings.Contains(string(data), `"spend":null`) || strings.Contains(string(data), "video") {
		t.Errorf("%v %s", err, data)
	}
}

package sim

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// joined adds up what the deltas of one path hold.
func joined(t *testing.T, all []decoded, path string) string {
	t.Helper()
	var b strings.Builder
	for _, f := range all {
		if f.kind() == "contentBlockDelta" {
			if s, ok := parse(t, f.payload).at("delta." + path).(string); ok {
				b.WriteString(s)
			}
		}
	}
	return b.String()
}

func TestTextStreamsInTheRecordedOrder(t *testing.T) {
	b := start(t, Options{ChunkSize: 5})
	r := b.post(claude, "converse-stream", user("hi"))
	equal(t, r.header.Get("Content-Type"), "application/vnd.amazon.eventstream")
	if r.header.Get("x-amzn-RequestId") == "" {
		t.Error("no request id")
	}
	all, err := frames(bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, kinds(all), "messageStart contentBlockDelta contentBlockDelta contentBlockDelta contentBlockStop messageStop metadata")
	equal(t, joined(t, all, "text"), "You said: hi")
	for _, f := range all {
		equal(t, strings.Join(f.order, " "), ":event-type :content-type :message-type")
		p, _ := parse(t, f.payload).at("p").(string)
		if p == "" || !strings.HasPrefix(alphabet, p) {
			t.Errorf("padding %q", p)
		}
	}
	last := parse(t, all[len(all)-1].payload)
	equal(t, last.at("usage.totalTokens"), any(4.0))
	equal(t, last.at("usage.cacheReadInputTokenCount"), any(0.0))
	equal(t, last.at("metrics.latencyMs"), any(0.0))
}

func TestToolUseStreamsWithAStartAndAnEmptyDelta(t *testing.T) {
	b := start(t, Options{ChunkSize: 16})
	all := b.stream(claude, with(user("call get_weather and get_time"), weatherTools))
	equal(t, kinds(all), "messageStart contentBlockStart contentBlockDelta contentBlockDelta contentBlockDelta contentBlockStop "+
		"contentBlockStart contentBlockDelta contentBlockStop messageStop metadata")
	equal(t, parse(t, all[1].payload).at("start.toolUse.name"), any("get_weather"))
	equal(t, parse(t, all[2].payload).at("delta.toolUse.input"), any(""))
	equal(t, joined(t, all, "toolUse.input"), `{"city":"sim city","days":2}`)
	equal(t, parse(t, all[6].payload).at("contentBlockIndex"), any(1.0))
	equal(t, parse(t, all[9].payload).at("stopReason"), any("tool_use"))
}

func TestReasoningStreamsWithItsSignatureInADeltaOfItsOwn(t *testing.T) {
	b := start(t, Options{ChunkSize: 100})
	all := b.stream(claude, with(user("why"), `"additionalModelRequestFields":{"thinking":{"type":"adaptive"}}`))
	equal(t, kinds(all), "messageStart contentBlockDelta contentBlockDelta contentBlockStop contentBlockDelta contentBlockStop messageStop metadata")
	equal(t, parse(t, all[2].payload).at("delta.reasoningContent.text"), nil)
	if parse(t, all[2].payload).at("delta.reasoningContent.signature") == nil {
		t.Error("no signature")
	}
}

func TestGptOssOpensWithAnEmptyTextBlock(t *testing.T) {
	all := open(t).stream("openai.gpt-oss-120b-1:0", user("hi"))
	first := parse(t, all[1].payload)
	equal(t, first.at("contentBlockIndex"), any(0.0))
	equal(t, first.at("delta.text"), any(""))
	equal(t, parse(t, all[3].payload).at("contentBlockIndex"), any(1.0))
	equal(t, joined(t, all, "text"), "You said: hi")
}

func TestStreamAndAnswerAgree(t *testing.T) {
	b := open(t)
	for _, body := range []string{user("some longer text, ünïcödé 🌋 included"), with(user("call get_weather"), weatherTools), with(user("x"), `"inferenceConfig":{"maxTokens":1}`)} {
		whole := b.converse(llama, body)
		all := b.stream(llama, body)
		end := parse(t, all[len(all)-1].payload)
		equal(t, end.at("usage.totalTokens"), whole.at("usage.totalTokens"))
		equal(t, parse(t, all[len(all)-2].payload).at("stopReason"), whole.at("stopReason"))
		text, _ := whole.at(answered).(string)
		equal(t, joined(t, all, "text"), text)
	}
}

// A frame's bytes are fixed by the protocol: header order, lengths, both checksums.
func TestAFrameByteForByte(t *testing.T) {
	data, err := eventFrame("messageStop", []byte(`{"stopReason":"end_turn"}`)).encode()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, hex.EncodeToString(data), "0000007a00000051ca2c46650b3a6576656e742d7479706507000b6d65737361676553746f700d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b2273746f70526561736f6e223a22656e645f7475726e227d5fbf09fc")
}

func TestStreamErrorsBeforeTheFirstFrameAreHTTPErrors(t *testing.T) {
	r := open(t).post(claude, "converse-stream", `{}`)
	equal(t, r.status, 400)
	equal(t, r.header.Get("Content-Type"), "application/json")
}

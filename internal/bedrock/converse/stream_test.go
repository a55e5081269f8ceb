package converse

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// frame builds one event-stream message out of headers "name=value" and a payload.
func frame(payload string, headers ...string) []byte {
	var h []byte
	for _, header := range headers {
		name, value, _ := strings.Cut(header, "=")
		h = append(append(h, byte(len(name))), name...)
		h = binary.BigEndian.AppendUint16(append(h, 7), uint16(len(value)))
		h = append(h, value...)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(h)+len(payload)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(h)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, h...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// frames builds a stream out of lines "eventType payload".
func frames(lines ...string) []byte {
	var out []byte
	for _, line := range lines {
		kind, payload, _ := strings.Cut(line, " ")
		message := "event"
		if strings.HasSuffix(kind, "Exception") {
			out = append(out, frame(payload, ":exception-type="+kind, ":message-type=exception")...)
			continue
		}
		out = append(out, frame(payload, ":event-type="+kind, ":content-type=application/json", ":message-type="+message)...)
	}
	return out
}

func showEvent(ev *llm.Event) string {
	switch ev.Kind {
	case llm.EventStart:
		return "start"
	case llm.EventText, llm.EventThinking, llm.EventSignature, llm.EventRedacted, llm.EventToolInput:
		name := map[llm.EventKind]string{
			llm.EventText: "text", llm.EventThinking: "thinking", llm.EventSignature: "signature",
			llm.EventRedacted: "redacted", llm.EventToolInput: "input",
		}[ev.Kind]
		return fmt.Sprintf("%s %d %q", name, ev.Index, ev.Text.String())
	case llm.EventToolStart:
		return fmt.Sprintf("tool %d %s %s", ev.Index, ev.ToolID, ev.ToolName)
	case llm.EventCitation, llm.EventOther:
		return fmt.Sprintf("%d raw %d %s", ev.Kind, ev.Index, ev.Raw)
	case llm.EventBlockStop:
		return fmt.Sprintf("end %d", ev.Index)
	case llm.EventStop:
		return fmt.Sprintf("stop %d %s", ev.Stop, ev.StopRaw)
	default:
		return fmt.Sprintf("usage %d/%d %s%s", ev.Usage.Input, ev.Usage.Output, ev.Tail.Tier, ev.Tail.Trace)
	}
}

// collect reads a stream to its end and shows its events; err is nil for io.EOF.
func collect(r io.Reader, turn *Turn) (events []string, err error) {
	s := NewStream(wire.NewFrames(r, nil), turn, "req-1")
	defer func() { _ = s.Close() }()
	for {
		ev, err := s.Next()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		events = append(events, showEvent(&ev))
	}
}

func streams(t *testing.T, turn *Turn, lines []string, want ...string) {
	t.Helper()
	data := frames(lines...)
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(string(data)), "bytewise": iotest.OneByteReader(strings.NewReader(string(data)))} {
		got, err := collect(r, turn)
		if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
	}
}

func delta(index int, inner string) string {
	return fmt.Sprintf(`contentBlockDelta {"contentBlockIndex":%d,"delta":%s,"p":"abcdefg"}`, index, inner)
}

func textDelta(index int, spelling string) string { return delta(index, `{"text":"`+spelling+`"}`) }

func inputDelta(index int, spelling string) string {
	return delta(index, `{"toolUse":{"input":"`+spelling+`"}}`)
}

func toolBegin(index int, id, name string) string {
	return fmt.Sprintf(`contentBlockStart {"contentBlockIndex":%d,"start":{"toolUse":{"toolUseId":"%s","name":"%s","type":"tool_use"}}}`, index, id, name)
}

func end(index int) string {
	return fmt.Sprintf(`contentBlockStop {"contentBlockIndex":%d,"p":"ab"}`, index)
}

const (
	begin    = `messageStart {"role":"assistant","p":"abc"}`
	metadata = `metadata {"usage":{"inputTokens":10,"outputTokens":20,"totalTokens":30},"metrics":{"latencyMs":1},"serviceTier":{"type":"flex"},"trace":{"a":1},"p":"x"}`
	used     = `usage 10/20 flex{"a":1}`
)

func stop(reason string) string { return `messageStop {"stopReason":"` + reason + `"}` }

var (
	stopEnd  = fmt.Sprintf("stop %d end_turn", llm.StopEnd)
	stopTool = fmt.Sprintf("stop %d tool_use", llm.StopTool)
)

func TestStreamText(t *testing.T) {
	streams(t, nil, []string{begin, textDelta(0, ``), textDelta(0, `Hé\n`), textDelta(0, `\"`), end(0), textDelta(7, `x`), end(7), `newEvent {}`, stop("end_turn"), metadata},
		"start", `text 0 "Hé\n"`, `text 0 "\""`, "end 0", `text 7 "x"`, "end 7", stopEnd, used)
}

func TestStreamTools(t *testing.T) {
	turn := &Turn{names: []nameChange{{client: "my.f", upstream: "my_f"}}}
	streams(t, turn, []string{begin, toolBegin(0, "t1", "my_f"), inputDelta(0, ``), inputDelta(0, `{\"a\":`), inputDelta(0, `1}`), end(0), stop("tool_use"), metadata},
		"start", "tool 0 t1 my.f", `input 0 "{\"a\":"`, `input 0 "1}"`, "end 0", stopTool, used)
	for _, empty := range [][]string{{}, {inputDelta(1, ``)}} {
		lines := append([]string{begin, toolBegin(1, "t1", "f")}, empty...)
		streams(t, nil, append(lines, end(1), stop("end_turn"), metadata), "start", "tool 1 t1 f", `input 1 "{}"`, "end 1",
			fmt.Sprintf("stop %d end_turn", llm.StopTool), used)
	}
	streams(t, &Turn{wrapped: []string{"f"}}, []string{toolBegin(0, "t", "f"), inputDelta(0, `{\"value\":`), inputDelta(0, `[1]}`), end(0), stop("tool_use"), metadata},
		"tool 0 t f", `input 0 "[1]"`, "end 0", stopTool, used)
}

func TestStreamReasoningAndCitations(t *testing.T) {
	streams(t, nil, []string{
		begin, delta(0, `{"reasoningContent":{"text":"hm"}}`), delta(0, `{"reasoningContent":{"text":""}}`),
		delta(0, `{"reasoningContent":{"signature":"U0lH"}}`), end(0), delta(1, `{"reasoningContent":{"redactedContent":"VWtWRQ=="}}`), end(1),
		textDelta(2, `a`), delta(3, `{"citation":{"title":"T"}}`), end(3), stop("end_turn"), metadata,
	},
		"start", `thinking 0 "hm"`, `signature 0 "U0lH"`, "end 0", `redacted 1 "UkVE"`, "end 1", `text 2 "a"`,
		fmt.Sprintf(`%d raw 3 {"title":"T"}`, llm.EventCitation), "end 3", stopEnd, used)
}

func TestStreamServerTools(t *testing.T) {
	other := int(llm.EventOther)
	streams(t, nil, []string{
		`contentBlockStart {"start":{"toolUse":{"toolUseId":"s","name":"nova_grounding","type":"server_tool_use"}},"contentBlockIndex":0}`,
		inputDelta(0, `{}`), end(0), `contentBlockStart {"start":{"toolResult":{"toolUseId":"s"}},"contentBlockIndex":1}`,
		delta(1, `{"toolResult":[{"json":{}}]}`), end(1), textDelta(2, `a`), stop("end_turn"), metadata,
	},
		fmt.Sprintf(`%d raw 0 {"toolUse":{"toolUseId":"s","name":"nova_grounding","type":"server_tool_use"}}`, other),
		fmt.Sprintf(`%d raw 0 {"toolUse":{"input":"{}"}}`, other), "end 0", fmt.Sprintf(`%d raw 1 {"toolResult":{"toolUseId":"s"}}`, other),
		fmt.Sprintf(`%d raw 1 {"toolResult":[{"json":{}}]}`, other), "end 1", `text 2 "a"`, stopEnd, used)
}

func TestStreamStructuredAnswer(t *testing.T) {
	f := func(turn *Turn, lines []string, want ...string) {
		t.Helper()
		turn.jsonTool = "json_tool_call"
		streams(t, turn, append(lines, metadata), append(want, used)...)
	}
	f(&Turn{}, []string{textDelta(0, `Here:`), end(0), toolBegin(1, "t", "json_tool_call"), inputDelta(1, `{\"a`), inputDelta(1, `\":1`), inputDelta(1, `}`), end(1), stop("tool_use")},
		"end 0", `text 1 "{\"a"`, `text 1 "\":1"`, `text 1 "}"`, "end 1", fmt.Sprintf("stop %d tool_use", llm.StopEnd))
	f(&Turn{}, []string{toolBegin(0, "t", "json_tool_call"), inputDelta(0, `{\"prop`), inputDelta(0, `erties\":{\"a\":1}}`), end(0), stop("tool_use")},
		`text 0 "{\"a\":1}"`, "end 0", fmt.Sprintf("stop %d tool_use", llm.StopEnd))
	f(&Turn{keepProperties: true}, []string{toolBegin(0, "t", "json_tool_call"), inputDelta(0, `{\"properties\":1}`), end(0), stop("tool_use")},
		`text 0 "{\"properties\":1}"`, "end 0", fmt.Sprintf("stop %d tool_use", llm.StopEnd))
	f(&Turn{}, []string{textDelta(0, `no `), textDelta(0, `way`), end(0), stop("end_turn")}, "end 0", `text 0 "no way"`, stopEnd)
	f(&Turn{}, []string{toolBegin(0, "t", "json_tool_call"), end(0), toolBegin(1, "u", "f"), end(1), stop("tool_use")},
		`text 0 "{}"`, "end 0", "tool 1 u f", `input 1 "{}"`, "end 1", stopTool)
}

func TestStreamTextWithMoreThanText(t *testing.T) {
	f := func(turn *Turn, pieces []string, want ...string) {
		t.Helper()
		var lines []string
		for _, piece := range pieces {
			lines = append(lines, textDelta(0, piece))
		}
		streams(t, turn, append(lines, stop("end_turn"), metadata), append(want, used)...)
	}
	think := &Turn{thinkTags: true}
	f(think, []string{`<thi`, `nk>\nhm`, `m\n</th`, `ink>\n`, `\nhi`, ` there`}, `thinking 0 "hm"`, `thinking 0 "m"`, `text 0 "hi"`, `text 0 " there"`, stopEnd)
	f(think, []string{`<b>`, `x`}, `text 0 "<b>"`, `text 0 "x"`, stopEnd)
	f(think, []string{`<thinking>a</thinking>b`}, `thinking 0 "a"`, `text 0 "b"`, stopEnd)
	f(think, []string{`<thi`}, `text 0 "<thi"`, stopEnd)
	f(&Turn{fences: true}, []string{"`", "``json", `\n{\"a\"`, `:1}\n`, "```"}, `text 0 "{\"a\""`, `text 0 ":1}"`, stopEnd)
	f(&Turn{fences: true}, []string{`{`, `}`}, `text 0 "{"`, `text 0 "}"`, stopEnd)
	call := &Turn{textCalls: true, tools: []string{"f"}}
	f(call, []string{` {\"type\":\"function\",`, `\"name\":\"f\",\"parameters\":{}}`},
		"tool 0 call"+withHash(nil, `{"type":"function","name":"f","parameters":{}}`)+" f", `input 0 "{}"`, fmt.Sprintf("stop %d end_turn", llm.StopTool))
	f(call, []string{`{\"x\":`, `1}`}, `text 0 "{\"x\":1}"`, stopEnd)
	f(call, []string{`hi`}, `text 0 "hi"`, stopEnd)
}

func TestStreamErrors(t *testing.T) {
	f := func(data []byte, events int, kind llm.Kind, message string) {
		t.Helper()
		got, err := collect(strings.NewReader(string(data)), nil)
		var e *llm.Error
		if len(got) != events || !errors.As(err, &e) || e.Kind != kind || !strings.Contains(e.Message, message) {
			t.Errorf("%v, %v", got, err)
		}
	}
	f(frames(`throttlingException {"message":"Too many"}`), 0, llm.KindRateLimit, "Too many")
	f(frames(begin, textDelta(0, `a`), `internalServerException {"message":"Oh"}`), 2, llm.KindUpstreamInternal, "Oh")
	f(frames(begin, textDelta(0, `a`)), 2, llm.KindUpstream, "stream ended early")
	f(frames(begin, textDelta(0, `a`), metadata), 3, llm.KindUpstream, "stream ended early")
	two := frames(begin, textDelta(0, `a`))
	f(two[:len(two)-9], 1, llm.KindUpstream, "ended early")
	f(frames(begin, `contentBlockDelta {"delta":`), 1, llm.KindUpstream, "not JSON")
	streams(t, nil, []string{begin, textDelta(0, `a`), stop("end_turn")}, "start", `text 0 "a"`, stopEnd)
	streams(t, nil, []string{stop("end_turn"), metadata, `throttlingException {}`}, stopEnd, used)
}

func TestStreamClosesAtEveryEvent(t *testing.T) {
	data := frames(begin, toolBegin(0, "t", "f"), end(0), textDelta(1, `a`), stop("end_turn"), metadata)
	for n := range 8 {
		closed := 0
		s := NewStream(wire.NewFrames(strings.NewReader(string(data)), func() error { closed++; return nil }), nil, "")
		for range n {
			if _, err := s.Next(); err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil || closed != 1 {
			t.Errorf("after %d events: closed %d times, %v", n, closed, err)
		}
		if _, err := s.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("after Close: %v", err)
		}
	}
}

func TestStreamGivesWhatTheWholeAnswerGives(t *testing.T) {
	for bits := range uint8(8) {
		turn := turnOf(bits)
		for _, text := range []string{"<think>a</think>\n\nb", "```json\n{}\n```", `{"type":"function","name":"f","parameters":{"a":1}}`, "plain", "<reasoning>cut"} {
			spelling := string(llm.NewText(text).AppendInner(nil))
			whole, err := Decode([]byte(answerOf(`{"text":"`+spelling+`"}`, "end_turn")), turn)
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, c := range text {
				lines = append(lines, textDelta(0, string(llm.NewText(string(c)).AppendInner(nil))))
			}
			s := NewStream(wire.NewFrames(strings.NewReader(string(frames(append(lines, stop("end_turn"))...))), nil), turn, "")
			joined := llm.Response{}
			for {
				ev, err := s.Next()
				if err != nil {
					break
				}
				switch ev.Kind {
				case llm.EventText, llm.EventThinking:
					kind := llm.BlockText
					if ev.Kind == llm.EventThinking {
						kind = llm.BlockThinking
					}
					if n := len(joined.Blocks); n > 0 && joined.Blocks[n-1].Kind == kind {
						joined.Blocks[n-1].Text = llm.NewText(joined.Blocks[n-1].Text.String() + ev.Text.String())
					} else {
						joined.Blocks = append(joined.Blocks, llm.Block{Kind: kind, Text: llm.NewText(ev.Text.String())})
					}
				case llm.EventToolStart:
					joined.Blocks = append(joined.Blocks, toolCall(ev.ToolID, ev.ToolName, ""))
				case llm.EventToolInput:
					b := joined.Blocks[len(joined.Blocks)-1].Tool
					b.Input = append(b.Input, ev.Text.String()...)
				default:
				}
			}
			if show(joined.Blocks) != show(whole.Blocks) {
				t.Errorf("%q with %b: streamed %s, whole %s", text, bits, show(joined.Blocks), show(whole.Blocks))
			}
		}
	}
}

func TestPlainTextReadsWhatTheScannerReads(t *testing.T) {
	f := func(payload string, plain bool) {
		t.Helper()
		index, text, ok := plainText([]byte(payload))
		if ok != plain {
			t.Fatalf("%s: plain %v", payload, ok)
		}
		scan := jsonscan.New([]byte(payload))
		ev, said, err := (&stream{}).delta(&scan)
		if ok && (err != nil || ev.Index != index || ev.Text.String() != llm.RawText(text).String() || said != (len(text) > 0)) {
			t.Errorf("%s: %d %q, the scanner says %+v %v", payload, index, text, ev, err)
		}
	}
	f(`{"contentBlockIndex":0,"delta":{"text":"a\n\u00e9"}}`, true)
	f(`{"contentBlockIndex":12,"delta":{"text":""},"p":"abcXYZ019"}`, true)
	f(`{"contentBlockIndex":0,"delta":{"text":"a"},"p":""}`, true)
	f(`{"contentBlockIndex":0,"delta":{"text":"a"},"p":"a","q":1}`, false)
	f(`{"contentBlockIndex":0,"delta":{"text":"a"},"p":"}`, false)
	f(`{"contentBlockIndex":0, "delta":{"text":"a"}}`, false)
	f(`{"contentBlockIndex":01,"delta":{"text":"a"}}`, false)
	f(`{"contentBlockIndex":,"delta":{"text":"a"}}`, false)
	f(`{"contentBlockIndex":0,"delta":{"text":"a}}`, false)
	f(`{"contentBlockIndex":0,"delta":{"toolUse":{"input":"a"}}}`, false)
}

func FuzzStreamEvent(f *testing.F) {
	for _, line := range []string{
		begin, textDelta(0, `a\n`), toolBegin(0, "t", "f"), inputDelta(0, `{`), end(0), stop("tool_use"), metadata,
		delta(0, `{"reasoningContent":{"text":"x"}}`), delta(0, `[]`), `contentBlockDelta null`, `metadata {"usage":null}`, `messageStop {"additionalModelResponseFields":{}}`,
	} {
		kind, payload, _ := strings.Cut(line, " ")
		f.Add(kind, []byte(payload), uint8(0))
		f.Add(kind, []byte(payload), uint8(255))
	}
	f.Fuzz(func(t *testing.T, kind string, payload []byte, bits uint8) {
		if index, text, ok := plainText(payload); ok {
			scan := jsonscan.New(payload)
			ev, _, err := (&stream{}).delta(&scan)
			if err != nil || ev.Index != index || ev.Text.String() != llm.RawText(text).String() {
				t.Fatalf("%s: plain %d %q, scanned %+v %v", payload, index, text, ev, err)
			}
		}
		s := &stream{turn: turnOf(bits)}
		s.text.turn = s.turn
		for _, event := range []string{"contentBlockStart", kind, kind, "contentBlockStop", "messageStop"} {
			ev, ok, err := s.event([]byte(event), payload)
			if err != nil {
				return
			}
			if ok {
				s.push(ev)
			}
		}
		for i := range s.queue {
			_ = showEvent(&s.queue[i])
		}
	})
}

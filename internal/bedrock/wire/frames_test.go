package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/outcrop-ai/outcrop/llm"
)

// recorded is a frame as the AWS SDKs write it.
const recorded = "0000007a00000051ca2c46650b3a6576656e742d7479706507000b6d65737361676553746f700d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b2273746f70526561736f6e223a22656e645f7475726e227d5fbf09fc"

func recordedFrame(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(recorded)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// encoded is a frame by the SDK's encoder; pairs are names and string values of headers.
func encoded(t testing.TB, payload string, pairs ...string) []byte {
	t.Helper()
	m := eventstream.Message{Payload: []byte(payload)}
	for i := 0; i+1 < len(pairs); i += 2 {
		m.Headers = append(m.Headers, eventstream.Header{Name: pairs[i], Value: eventstream.StringValue(pairs[i+1])})
	}
	var b bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func event(t testing.TB, name, payload string) []byte {
	t.Helper()
	return encoded(t, payload, ":event-type", name, ":content-type", "application/json", ":message-type", "event")
}

type seen struct{ message, event, code, text, payload string }

// drain reads all frames; it copies, as their bytes live until the next one only.
func drain(f *Frames) (all []seen, err error) {
	for {
		frame, err := f.Next()
		if err != nil {
			return all, err
		}
		all = append(all, seen{string(frame.MessageType()), string(frame.EventType()), string(frame.ErrorCode()), string(frame.ErrorMessage()), string(frame.Payload())})
	}
}

func TestRecordedFrame(t *testing.T) {
	f := NewFrames(bytes.NewReader(recordedFrame(t)), nil)
	defer f.Close()
	frame, err := f.Next()
	if err != nil {
		t.Fatal(err)
	}
	if !frame.IsEvent() || frame.IsError() || string(frame.EventType()) != "messageStop" || string(frame.Payload()) != `{"stopReason":"end_turn"}` {
		t.Errorf("%s %s", frame.EventType(), frame.Payload())
	}
	if _, err := f.Next(); err != io.EOF {
		t.Errorf("the end is %v", err)
	}
}

func TestBuffered(t *testing.T) {
	two := append(recordedFrame(t), recordedFrame(t)...)
	f := NewFrames(bytes.NewReader(two[:len(two)-1]), nil)
	defer f.Close()
	if f.Buffered() {
		t.Error("buffered before anything was read")
	}
	if _, err := f.Next(); err != nil {
		t.Fatal(err)
	}
	if f.Buffered() {
		t.Error("a frame without its last byte is no whole frame")
	}
	g := NewFrames(bytes.NewReader(two), nil)
	defer g.Close()
	if _, err := g.Next(); err != nil {
		t.Fatal(err)
	}
	if !g.Buffered() {
		t.Error("the second frame came with the first")
	}
}

func TestBigFramesGrowTheBuffer(t *testing.T) {
	big := strings.Repeat("x", 3<<20)
	data := append(event(t, "small", "{}"), event(t, "big", big)...)
	data = append(data, event(t, "small", "{}")...)
	f := NewFrames(bytes.NewReader(data), nil)
	defer f.Close()
	all, err := drain(f)
	if err != io.EOF || len(all) != 3 || all[1].payload != big || all[2].event != "small" {
		t.Errorf("%d frames, %v", len(all), err)
	}
}

func TestBrokenStreams(t *testing.T) {
	whole := recordedFrame(t)
	f := func(name string, data []byte, frames int, cause error) {
		t.Helper()
		s := NewFrames(bytes.NewReader(data), nil)
		defer s.Close()
		all, err := drain(s)
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != llm.KindUpstream || !errors.Is(err, cause) || !strings.HasPrefix(e.Message, "upstream stream ended early") {
			t.Errorf("%s: %v", name, err)
		}
		if len(all) != frames {
			t.Errorf("%s: %d frames", name, len(all))
		}
		if _, again := s.Next(); again != err {
			t.Errorf("%s: then %v", name, again)
		}
	}
	flip := func(at int) []byte {
		b := bytes.Clone(whole)
		b[at] ^= 1
		return b
	}
	for n := 1; n < len(whole); n++ {
		f("cut", whole[:n], 0, io.ErrUnexpectedEOF)
		f("cut in the second", append(bytes.Clone(whole), whole[:n]...), 1, io.ErrUnexpectedEOF)
	}
	for i := range whole {
		f("flipped", flip(i), 0, ErrFrame)
	}
	f("headers too long", prelude(16+maxHeaders+1, maxHeaders+1), 0, ErrFrame)
	f("payload too long", prelude(16+maxPayload+1, 0), 0, ErrFrame)
	f("shorter than a frame", prelude(15, 0), 0, ErrFrame)
	f("headers beyond the frame", prelude(20, 5), 0, ErrFrame)
}

// prelude is the beginning of a frame with a right checksum of its own.
func prelude(total, headers uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, total)
	b = binary.BigEndian.AppendUint32(b, headers)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func TestReadersThatGiveNothing(t *testing.T) {
	f := NewFrames(nothing{}, nil)
	defer f.Close()
	if _, err := f.Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func TestCloseEndsAStreamAtEveryFrame(t *testing.T) {
	data := bytes.Repeat(recordedFrame(t), 3)
	for n := range 4 {
		closed := 0
		f := NewFrames(bytes.NewReader(data), func() error { closed++; return nil })
		for range n {
			if _, err := f.Next(); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if closed != 1 {
			t.Errorf("closed %d times", closed)
		}
		if _, err := f.Next(); err != io.EOF || f.Buffered() {
			t.Errorf("after Close: %v", err)
		}
	}
}

func TestFrameErrors(t *testing.T) {
	f := func(frame []byte, kind llm.Kind, status int, code, name, message string) {
		t.Helper()
		s := NewFrames(bytes.NewReader(frame), nil)
		defer s.Close()
		got, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got.IsEvent() {
			t.Fatal("taken for an event")
		}
		e := FrameError(got, "5f0c")
		if e.Kind != kind || e.Status() != status || e.Code != code || e.AWSType != name || e.Message != message || e.RequestID != "5f0c" {
			t.Errorf("%s: kind %d, status %d, %+v", name, e.Kind, e.Status(), e)
		}
	}
	exception := func(name, payload string) []byte {
		return encoded(t, payload, ":exception-type", name, ":content-type", "application/json", ":message-type", "exception")
	}
	f(exception("throttlingException", `{"message":"Too many tokens"}`), llm.KindRateLimit, 429, "", "ThrottlingException", "Too many tokens")
	f(exception("validationException", `{"message":"Input is too long for requested model."}`), llm.KindContextWindow, 400, CodeContextLength, "ValidationException", "Input is too long for requested model.")
	f(exception("internalServerException", `{"message":"m"}`), llm.KindUpstreamInternal, 500, "", "InternalServerException", "m")
	f(exception("modelStreamErrorException", `{"message":"m","originalStatusCode":500}`), llm.KindUpstream, 502, "", "ModelStreamErrorException", "m")
	f(exception("modelTimeoutException", `{"message":"m"}`), llm.KindTimeout, 408, "", "ModelTimeoutException", "m")
	f(exception("serviceUnavailableException", `{"message":"m"}`), llm.KindUnavailable, 503, "", "ServiceUnavailableException", "m")
	f(exception("brandNewException", `{"message":"m"}`), llm.KindUpstream, 502, "", "BrandNewException", "m")
	f(exception("brandNewException", `no`), llm.KindUpstream, 502, "", "BrandNewException", "the upstream stream failed")
	f(encoded(t, "", ":message-type", "error", ":error-code", "Boom", ":error-message", "it broke"), llm.KindUpstream, 502, "", "Boom", "it broke")
	f(encoded(t, "", ":message-type", "error", ":error-code", "ThrottlingException", ":error-message", "slow"), llm.KindRateLimit, 429, "", "ThrottlingException", "slow")
}

// bySDK decodes with the AWS SDK's decoder. It differs from ours by design in this, and nothing else:
//   - it accepts a length under 16 or headers beyond the frame and then reads on with a length that wrapped around;
//   - it has no limits when reading; ours are those that the SDK keeps to when writing;
//   - it takes the length of a name that the headers have no more room for as their end; ours refuses the frame;
//   - it takes an end anywhere in a frame for a plain io.EOF, so that a cut stream can look whole.
func bySDK(data []byte) (all []seen, bad bool) {
	r := bytes.NewReader(data)
	d := eventstream.NewDecoder()
	for r.Len() > 0 {
		m, err := d.Decode(r, nil)
		if err != nil {
			return all, true
		}
		str := func(name string) string {
			for _, h := range m.Headers {
				if v, ok := h.Value.(eventstream.StringValue); ok && h.Name == name {
					return string(v)
				}
			}
			return ""
		}
		s := seen{message: str(":message-type"), code: str(":error-code"), text: str(":error-message"), payload: string(m.Payload)}
		if s.event = str(":event-type"); s.event == "" && s.message != "event" && s.message != "" {
			s.event = str(":exception-type")
		}
		all = append(all, s)
	}
	return all, false
}

// impossible reports whether some frame is of the kinds that bySDK names.
func impossible(data []byte) bool {
	for len(data) >= preludeLen {
		total, headers := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
		if total < minFrame || headers > total-minFrame || headers > maxHeaders || total-minFrame-headers > maxPayload {
			return true
		}
		if int64(total) > int64(len(data)) {
			return false
		}
		for rest := data[preludeLen : preludeLen+headers]; len(rest) > 0; {
			if len(rest) == 1 {
				return true
			}
			var ok bool
			if _, _, rest, ok = nextHeader(rest); !ok {
				break
			}
		}
		data = data[total:]
	}
	return false
}

// sealed gives frames whose checksums are wrong the right ones, so that the fuzzer gets past them.
func sealed(data []byte) []byte {
	data = bytes.Clone(data)
	for rest := data; len(rest) >= minFrame; {
		total := binary.BigEndian.Uint32(rest)
		if total < minFrame || int64(total) > int64(len(rest)) {
			break
		}
		binary.BigEndian.PutUint32(rest[8:], crc32.ChecksumIEEE(rest[:8]))
		binary.BigEndian.PutUint32(rest[total-4:], crc32.ChecksumIEEE(rest[:total-4]))
		rest = rest[total:]
	}
	return data
}

func FuzzFrames(f *testing.F) {
	one := recordedFrame(f)
	f.Add(one, false)
	f.Add(append(bytes.Clone(one), one...), false)
	f.Add(one[:len(one)-3], false)
	f.Add(encoded(f, "", ":message-type", "error", ":error-code", "Boom", ":error-message", "it broke"), false)
	f.Add(encoded(f, `{"message":"m"}`, ":exception-type", "throttlingException", ":message-type", "exception"), true)
	f.Add(encoded(f, "", ":event-type", "a", ":event-type", "b"), true)
	f.Add(prelude(16+maxHeaders+1, maxHeaders+1), false)
	var kinds bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&kinds, eventstream.Message{Headers: eventstream.Headers{
		{Name: "t", Value: eventstream.BoolValue(true)},
		{Name: "8", Value: eventstream.Int8Value(1)},
		{Name: "16", Value: eventstream.Int16Value(1)},
		{Name: "32", Value: eventstream.Int32Value(1)},
		{Name: "64", Value: eventstream.Int64Value(1)},
		{Name: "b", Value: eventstream.BytesValue("x")},
		{Name: ":event-type", Value: eventstream.BytesValue("not a string")},
		{Name: "u", Value: eventstream.UUIDValue{}},
		{Name: ":event-type", Value: eventstream.StringValue("real")},
	}}); err != nil {
		f.Fatal(err)
	}
	f.Add(kinds.Bytes(), true)
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal {
			data = sealed(data)
		}
		ours := NewFrames(bytes.NewReader(data), nil)
		defer ours.Close()
		got, err := drain(ours)
		if !impossible(data) {
			want, bad := bySDK(data)
			if bad != (err != io.EOF) {
				t.Fatalf("ours ends with %v, the SDK's is bad: %v", err, bad)
			}
			same(t, "the SDK", got, want)
		}
		bytewise := NewFrames(iotest.OneByteReader(bytes.NewReader(data)), nil)
		defer bytewise.Close()
		split, splitErr := drain(bytewise)
		same(t, "byte by byte", got, split)
		if (err == io.EOF) != (splitErr == io.EOF) {
			t.Fatalf("whole %v, byte by byte %v", err, splitErr)
		}
	})
}

func same(t *testing.T, who string, got, want []seen) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d frames, %s %d", len(got), who, len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("frame %d is %q, %s %q", i, got[i], who, want[i])
		}
	}
}

// endless repeats a frame.
type endless struct {
	frame []byte
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		c := copy(p[n:], e.frame[e.at:])
		e.at = (e.at + c) % len(e.frame)
		n += c
	}
	return n, nil
}

func BenchmarkFrames(b *testing.B) {
	f := NewFrames(&endless{frame: event(b, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":" word"},"p":"abcdefgh"}`)}, nil)
	defer f.Close()
	b.ReportAllocs()
	for b.Loop() {
		frame, err := f.Next()
		if err != nil || len(frame.Payload()) == 0 {
			b.Fatal(err)
		}
	}
}

func TestFramesAllocateNothing(t *testing.T) {
	f := NewFrames(&endless{frame: recordedFrame(t)}, nil)
	defer f.Close()
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := f.Next(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

// Headers that are those of the frame before are not read again; others are.
func TestHeadersThatChange(t *testing.T) {
	data := event(t, "messageStart", "1")
	for _, name := range []string{"contentBlockDelta", "contentBlockDelta", "contentBlockStops", "messageStop"} {
		data = append(data, event(t, name, "{}")...)
	}
	data = append(data, encoded(t, "no headers")...)
	data = append(data, encoded(t, "{}", ":exception-type", "throttlingException", ":message-type", "exception")...)
	f := NewFrames(bytes.NewReader(data), nil)
	defer f.Close()
	all, err := drain(f)
	var names []string
	for _, s := range all {
		names = append(names, s.message+" "+s.event)
	}
	want := "event messageStart|event contentBlockDelta|event contentBlockDelta|event contentBlockStops|event messageStop| |exception throttlingException"
	if got := strings.Join(names, "|"); got != want || err != io.EOF {
		t.Errorf("%s, %v", got, err)
	}
}

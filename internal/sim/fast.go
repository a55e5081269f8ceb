package sim

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// fastAnswers are the prebuilt answers of Options.Fast: what is left is net/http itself.
type fastAnswers struct {
	converse, invoke, embedding  fastBody
	converseStream, invokeStream fastStream
	latency, delay               time.Duration
}

// fastBody is an answer in one piece. Header values are slices made once: net/http only reads them.
type fastBody struct {
	body   []byte
	length []string
}

type fastStream struct {
	frames [][]byte // one write and one flush each
	inner  bool     // InvokeModel's stream has a header more
}

var (
	fastJSON      = []string{"application/json"}
	fastFrames    = []string{"application/vnd.amazon.eventstream"}
	fastRequestID = []string{"00000000-0000-4000-8000-000000000000"}
)

// newFastAnswers builds the answers through the same code as all others.
func newFastAnswers(o Options) *fastAnswers {
	p := &prompt{model: "anthropic.claude-3-haiku-20240307-v1:0", meter: newMeter("")}
	d := newDice(o.Seed, "fast")
	short := answer{stop: "end_turn", blocks: []answerBlock{{text: "Hello from the simulator."}}, usage: usage{input: 10, output: 7}, chunkSize: o.ChunkSize}
	pieces := make([]string, o.FastChunks)
	for i := range pieces {
		pieces[i] = fmt.Sprintf("chunk %04d text ", i)
	}
	long := short
	long.blocks = []answerBlock{{text: strings.Join(pieces, ""), pieces: pieces}}
	long.usage.output = long.blocks[0].tokens()
	f := anthropicMessages{}
	return &fastAnswers{
		converse:       newFastBody(converseAnswer(p, &short)),
		invoke:         newFastBody(invokeAnswer(f, p, &short, d)),
		embedding:      newFastBody(object{"embedding": unitVector("fast", 1024), "inputTextTokenCount": 5}),
		converseStream: fastStream{frames: encodeAll(framed(converseEvents(p, &long), d))},
		invokeStream:   fastStream{frames: encodeAll(framed(invokeEvents(f, p, &long, d), d)), inner: true},
		latency:        o.Latency, delay: o.ChunkDelay,
	}
}

func newFastBody(o object) fastBody {
	body := mustJSON(o)
	return fastBody{body: body, length: []string{strconv.Itoa(len(body))}}
}

func encodeAll(frames []frame) [][]byte {
	all := make([][]byte, 0, len(frames))
	for _, f := range frames {
		if data, err := f.encode(); err == nil { // frames of this package are far below the encoder's limits
			all = append(all, bytes.Clone(data))
		}
	}
	return all
}

func (a *fastAnswers) serve(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	if a.latency > 0 && !pause(r.Context(), a.latency) {
		return
	}
	operation := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	switch operation {
	case "converse":
		a.converse.write(w)
	case "converse-stream":
		a.converseStream.write(w, r, a.delay)
	case "invoke":
		if strings.Contains(r.URL.Path, "titan-embed") {
			a.embedding.write(w)
			return
		}
		a.invoke.write(w)
	case "invoke-with-response-stream":
		a.invokeStream.write(w, r, a.delay)
	case "health":
		_, _ = io.WriteString(w, "ok\n")
	default:
		writeError(w, &apiError{status: http.StatusNotFound, code: "UnknownOperationException", message: "The fast simulator has converse and invoke only."})
	}
}

func (b *fastBody) write(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"], h["Content-Length"], h["X-Amzn-Requestid"] = fastJSON, b.length, fastRequestID
	_, _ = w.Write(b.body)
}

// write paces against the stream's beginning, so that delays do not add up.
func (s *fastStream) write(w http.ResponseWriter, r *http.Request, delay time.Duration) {
	h := w.Header()
	h["Content-Type"], h["X-Amzn-Requestid"] = fastFrames, fastRequestID
	if s.inner {
		h["X-Amzn-Bedrock-Content-Type"] = fastJSON
	}
	flusher, _ := w.(http.Flusher)
	var timer *time.Timer
	var begun time.Time
	if delay > 0 {
		begun, timer = time.Now(), time.NewTimer(0)
		defer timer.Stop()
		<-timer.C
	}
	for i, data := range s.frames {
		if wait := time.Duration(i) * delay; timer != nil && time.Since(begun) < wait {
			timer.Reset(wait - time.Since(begun))
			select {
			case <-timer.C:
			case <-r.Context().Done():
				return
			}
		}
		if _, err := w.Write(data); err != nil {
			return
		}
		if flusher != nil {
			flusher.Flush()
		}
	}
}

package telemetry

import (
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

// lines is where a logger's lines go. Its own way for the line of a request costs a fifth of slog's, which resolves,
// replaces and dispatches each field; a test holds the two equal.
type lines struct {
	format Format
	mu     sync.Mutex // one line at a time, whoever writes it
	w      io.Writer
	pool   sync.Pool // of *[]byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// event writes one line with the fields in their order. They have names that are no credentials, and are strings,
// numbers or booleans.
func (l *lines) event(at time.Time, level slog.Level, message string, fields []slog.Attr) error {
	room, _ := l.pool.Get().(*[]byte)
	if room == nil {
		room = new([]byte)
	}
	line := (*room)[:0]
	if l.format == JSON {
		line = append(line, `{"time":"`...)
		line = at.AppendFormat(line, time.RFC3339Nano)
		line = append(line, `","level":"`...)
		line = append(line, level.String()...)
		line = append(line, `","msg":`...)
		line = llm.AppendString(line, message)
		for i := range fields {
			line = append(line, `,"`...)
			line = append(line, fields[i].Key...)
			line = append(line, `":`...)
			line = appendValue(line, fields[i].Value, llm.AppendString)
		}
		line = append(line, '}', '\n')
	} else {
		line = append(line, "time="...)
		line = at.AppendFormat(line, "2006-01-02T15:04:05.000Z07:00")
		line = append(line, " level="...)
		line = append(line, level.String()...)
		line = append(line, " msg="...)
		line = appendWord(line, message)
		for i := range fields {
			line = append(line, ' ')
			line = append(line, fields[i].Key...)
			line = append(line, '=')
			line = appendValue(line, fields[i].Value, appendWord)
		}
		line = append(line, '\n')
	}
	_, err := l.Write(line)
	*room = line
	l.pool.Put(room)
	return err
}

func appendValue(dst []byte, v slog.Value, appendText func([]byte, string) []byte) []byte {
	switch v.Kind() {
	case slog.KindInt64:
		return strconv.AppendInt(dst, v.Int64(), 10)
	case slog.KindFloat64:
		return appendNumber(dst, v.Float64())
	case slog.KindBool:
		return strconv.AppendBool(dst, v.Bool())
	default:
		return appendText(dst, v.String())
	}
}

// appendNumber appends a number as 'g' has it. Most are milliseconds with three places, which need no search for the digits.
func appendNumber(dst []byte, v float64) []byte {
	thousandths := int64(v * 1000)
	if v < 0.001 || v >= 100_000 || float64(thousandths)/1000 != v {
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	}
	dst = strconv.AppendInt(dst, thousandths/1000, 10)
	rest := thousandths % 1000
	if rest == 0 {
		return dst
	}
	dst = append(dst, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// quoted are the bytes for which a word is quoted.
var quoted = func() (list [256]bool) {
	for c := range list {
		list[c] = c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f
	}
	return list
}()

// appendWord appends text as it is if it is one plain word, else quoted.
func appendWord(dst []byte, text string) []byte {
	for i := range len(text) {
		if quoted[text[i]] {
			return strconv.AppendQuote(dst, text)
		}
	}
	if text == "" {
		return append(dst, `""`...)
	}
	return append(dst, text...)
}

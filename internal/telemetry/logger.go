package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Format is how log lines are written.
type Format string

// The formats.
const (
	// Text is key=value, for people.
	Text Format = "text"
	// JSON is one object per line, for programs.
	JSON Format = "json"
)

// ParseFormat takes text or json; empty is text.
func ParseFormat(name string) (Format, error) {
	switch f := Format(name); f {
	case "":
		return Text, nil
	case Text, JSON:
		return f, nil
	default:
		return "", fmt.Errorf("log format %q: want text or json", name)
	}
}

// New returns a logger that writes lines of at least this level to w. Fields with the name of a credential are masked.
// When w is a [Writer], warnings and errors are flushed at once.
func New(w io.Writer, format Format, level slog.Leveler) *slog.Logger {
	h := &handler{lines: &lines{format: format, w: w}}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: maskAttr}
	if format == JSON {
		h.Handler = slog.NewJSONHandler(h.lines, options)
	} else {
		h.Handler = slog.NewTextHandler(h.lines, options)
	}
	h.buffered, _ = w.(*Writer)
	return slog.New(h)
}

// handler is slog's own, with a shorter way for the lines of requests, and a flush behind urgent lines.
type handler struct {
	slog.Handler
	lines *lines
	// buffered is nil when lines go out as they come.
	buffered *Writer
	// derived says that Handler adds attributes of its own, which the shorter way does not have.
	derived bool
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	return h.flush(r.Level, h.Handler.Handle(ctx, r))
}

// event writes a line as Handle would.
func (h *handler) event(ctx context.Context, at time.Time, level slog.Level, message string, fields []slog.Attr) error {
	if h.derived {
		return event(ctx, h, at, level, message, fields)
	}
	return h.flush(level, h.lines.event(at, level, message, fields))
}

func (h *handler) flush(level slog.Level, err error) error {
	if err == nil && level >= slog.LevelWarn && h.buffered != nil {
		err = h.buffered.Flush()
	}
	return err
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{Handler: h.Handler.WithAttrs(attrs), lines: h.lines, buffered: h.buffered, derived: true}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{Handler: h.Handler.WithGroup(name), lines: h.lines, buffered: h.buffered, derived: true}
}

// event hands a line to any handler.
func event(ctx context.Context, h slog.Handler, at time.Time, level slog.Level, message string, fields []slog.Attr) error {
	r := slog.NewRecord(at, level, message, 0)
	r.AddAttrs(fields...)
	return h.Handle(ctx, r)
}

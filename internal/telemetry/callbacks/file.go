package callbacks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// file appends payloads to a file, a line each. A file that would grow over its size is renamed to path.1, path.1 to path.2,
// and so on; the oldest goes.
type file struct {
	path    string
	size    int64
	backups int
	writer  *Writer
	open    *os.File
}

func newFile(o *Options) (*file, error) {
	f := &file{path: o.File.Path, size: o.File.MaxSize, backups: o.File.Backups, writer: &o.Writer}
	if f.path == "" {
		return nil, errors.New("file_callback_params.path is not set")
	}
	if f.size <= 0 {
		f.size = 100 << 20
	}
	return f, nil
}

func (*file) Name() string { return File }

func (f *file) close() {
	if f.open != nil {
		_ = f.open.Close()
		f.open = nil
	}
}

// Send appends a batch by one write, so that lines of several processes do not mix.
func (f *file) Send(_ context.Context, batch []*telemetry.Event) ([]*telemetry.Event, error) {
	var lines []byte
	for _, e := range batch {
		one, err := f.writer.Payload(e)
		if err != nil {
			return nil, &refusedError{len(batch), err}
		}
		lines = append(append(lines, one...), '\n')
	}
	if err := f.ready(int64(len(lines))); err != nil {
		return batch, err
	}
	before, err := f.open.Stat()
	if err != nil {
		return batch, err
	}
	if _, err := f.open.Write(lines); err != nil {
		err = errors.Join(err, f.open.Truncate(before.Size())) // half a line would spoil the next one
		f.close()
		return batch, err
	}
	return nil, nil
}

// ready opens the file if need be: also when somebody has moved it away, and when it has grown too large for what comes.
func (f *file) ready(more int64) error {
	if f.open != nil {
		ours, err := f.open.Stat()
		if err != nil {
			return err
		}
		now, err := os.Stat(f.path)
		if err == nil && os.SameFile(ours, now) && (now.Size() == 0 || now.Size()+more <= f.size) {
			return nil
		}
		f.close()
	}
	if now, err := os.Stat(f.path); err == nil && now.Size() > 0 && now.Size()+more > f.size {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o750); err != nil {
		return err
	}
	var err error
	f.open, err = os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	return err
}

func (f *file) rotate() error {
	if f.backups <= 0 {
		return os.Remove(f.path)
	}
	name := func(i int) string { return fmt.Sprintf("%s.%d", f.path, i) }
	for i := f.backups - 1; i > 0; i-- {
		if err := os.Rename(name(i), name(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Rename(f.path, name(1))
}

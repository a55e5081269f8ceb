package account

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// snapshot is what a directory's file holds. The file's time is when it was last in step with the store.
type snapshot struct {
	Version  int      `json:"version"`
	Entities []Entity `json:"entities"`
}

const snapshotVersion = 1

// touchEvery is how often the file of a directory that does not change is marked as in step.
const touchEvery = 30 * time.Second

// save writes what the directory knows if it has changed, and marks the file as in step from time to time otherwise.
func (d *Directory) save() {
	if d.o.Snapshot == "" {
		return
	}
	d.snapshotMu.Lock()
	defer d.snapshotMu.Unlock()
	d.mu.Lock()
	changed, loaded := d.changed, d.loaded
	d.changed = false
	d.mu.Unlock()
	if !loaded {
		return
	}
	synced := time.Unix(0, d.synced.Load())
	if !changed {
		if info, err := os.Stat(d.o.Snapshot); err == nil && synced.Sub(info.ModTime()) > touchEvery {
			_ = os.Chtimes(d.o.Snapshot, synced, synced) // it is then taken for older than it is
		}
		return
	}
	if err := d.write(synced); err != nil {
		d.o.Logger.Warn("the snapshot of keys cannot be written", "error", err)
	}
}

// write replaces the file at once: nobody ever sees half of it.
func (d *Directory) write(synced time.Time) (err error) {
	s := snapshot{Version: snapshotVersion}
	for _, t := range d.tables {
		t.all(func(o *Holder) bool {
			s.Entities = append(s.Entities, o.Entity)
			return true
		})
	}
	if len(s.Entities) == 0 {
		if err := os.Remove(d.o.Snapshot); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(d.o.Snapshot), filepath.Base(d.o.Snapshot)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Chtimes(f.Name(), synced, synced); err != nil {
		return err
	}
	return os.Rename(f.Name(), d.o.Snapshot)
}

// restore starts with the snapshot, in the place of a store that does not answer.
func (d *Directory) restore() {
	if d.o.Snapshot == "" {
		return
	}
	list, at, err := readSnapshot(d.o.Snapshot)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			d.o.Logger.Warn("the snapshot of keys cannot be read", "error", err)
		}
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.apply(list)
	d.changed = false
	d.synced.Store(at.UnixNano())
	d.known.Store(true)
	d.o.Logger.Warn("started with the snapshot of keys", "entities", len(list), "age", time.Since(at).Round(time.Second).String())
}

func readSnapshot(path string) ([]Entity, time.Time, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	var s snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, time.Time{}, err
	}
	if s.Version != snapshotVersion {
		return nil, time.Time{}, fmt.Errorf("it has version %d, and this program reads %d", s.Version, snapshotVersion)
	}
	return s.Entities, info.ModTime(), nil
}

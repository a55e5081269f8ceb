package journal

import (
	"errors"
	"os"
	"time"
)

// force is the goroutine of SyncInterval, from Open to Close.
func (l *Log) force() {
	defer close(l.stopped)
	ticker := time.NewTicker(l.o.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-l.stop:
			return
		}
		l.mu.Lock()
		if !l.dirty {
			l.mu.Unlock()
			continue
		}
		retired, file := l.retired, l.file
		l.retired, l.dirty = nil, false
		l.mu.Unlock()
		err := l.syncFiles(append(retired, file)...)
		l.forced(err)
		for _, f := range retired {
			_ = f.Close()
		}
	}
}

// syncFiles forces files, nil among them, and the folder's list of them.
func (l *Log) syncFiles(files ...*os.File) error {
	var errs []error
	for _, f := range files {
		if f != nil {
			if err := f.Sync(); !errors.Is(err, os.ErrClosed) { // retired in between, and forced next time
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(append(errs, syncFolder(l.slot))...)
}

// syncFolder forces the names of a folder's files.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// forceUpTo returns when all before end is on the disk. Those that wait together share one call.
func (l *Log) forceUpTo(end Position) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if !l.synced.before(end) {
		return nil
	}
	l.mu.Lock()
	file, now := l.file, Position{l.seq, l.size}
	l.mu.Unlock()
	if file == nil || now.seq > end.seq { // retire has forced it
		return nil
	}
	err := file.Sync()
	if errors.Is(err, os.ErrClosed) { // retired in between
		return nil
	}
	l.forced(err)
	if err == nil {
		l.synced = now
	}
	return err
}

// forced logs when the disk begins to refuse, and when it obeys again.
func (l *Log) forced(err error) {
	if was := l.unsynced.Swap(err != nil); err != nil && !was {
		l.o.Logger.Error("the log cannot be forced to the disk: a crash of the machine may lose rows", "error", err)
	} else if err == nil && was {
		l.o.Logger.Info("the log is forced to the disk again")
	}
}

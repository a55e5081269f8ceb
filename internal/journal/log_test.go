package journal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

const childFolder = "JOURNAL_TEST_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" { // a process that dies without a word
		l, err := Open(dir, Options{})
		if err == nil {
			for i := range 100 {
				err = errors.Join(err, l.Append(frameOf(fmt.Sprint("child ", i))))
			}
		}
		if err != nil {
			fmt.Println(err)
		}
		fmt.Println("written")
		select {}
	}
	goleak.VerifyTestMain(m)
}

func frameOf(payload string) []byte { return append(make([]byte, Head), payload...) }

func open(t *testing.T, dir string, o Options) *Log {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func add(t *testing.T, l *Log, payloads ...string) {
	t.Helper()
	for _, p := range payloads {
		if err := l.Append(frameOf(p)); err != nil {
			t.Fatal(err)
		}
	}
}

// read returns the next payloads, with commas between them.
func read(t *testing.T, l *Log, limit int) (string, Position) {
	t.Helper()
	var list []string
	end, err := l.Read(limit, 1<<30, func(p []byte) error { list = append(list, string(p)); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, ","), end
}

func commit(t *testing.T, l *Log, p Position) {
	t.Helper()
	if err := l.Commit(p); err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// die ends a log as the death of its process does: nothing is forced, written or removed.
func die(t *testing.T, l *Log) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	close(l.stop)
	for _, f := range append(l.retired, l.file, l.lock, l.position) {
		if f != nil {
			_ = f.Close()
		}
	}
	l.reader.close()
}

func segments(t *testing.T, l *Log) []segment {
	t.Helper()
	list, _, err := listSegments(l.slot)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestWhatWasNotCommittedComesAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	l := open(t, dir, Options{})
	add(t, l, "a", "b", "c")
	got, at := read(t, l, 2)
	equal(t, got, "a,b")
	commit(t, l, at)
	got, _ = read(t, l, 2)
	equal(t, got, "c")
	got, _ = read(t, l, 2)
	equal(t, got, "")
	add(t, l, "d")
	got, _ = read(t, l, 9)
	equal(t, got, "d")
	die(t, l)

	l = open(t, dir, Options{})
	add(t, l, "e")
	got, _ = read(t, l, 9)
	equal(t, got, "c,d,e")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, Options{})
	got, at = read(t, l, 9)
	equal(t, got, "c,d,e")
	commit(t, l, at)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, len(segments(t, l)), 0)
	equal(t, l.Size(), 0)
	l = open(t, dir, Options{})
	got, _ = read(t, l, 9)
	equal(t, got, "")
	add(t, l, "f")
	got, _ = read(t, l, 9)
	equal(t, got, "f")
}

func TestSegmentsGoWhenTheyAreSafe(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "wal"), Options{MaxSize: 1 << 20}) // segments of 128 KiB
	big := strings.Repeat("x", 50<<10)
	for range 10 {
		add(t, l, big)
	}
	equal(t, len(segments(t, l)), 5)
	var at Position
	for range 4 {
		_, at = read(t, l, 1)
	}
	equal(t, len(segments(t, l)), 5)
	commit(t, l, at)
	equal(t, len(segments(t, l)), 3)
	for range 6 {
		_, at = read(t, l, 1)
	}
	commit(t, l, at)
	equal(t, len(segments(t, l)), 1) // the one that is written
	equal(t, l.Size(), segments(t, l)[0].size)
	add(t, l, "more", strings.Repeat("y", 300<<10)) // larger than a segment
	got, _ := read(t, l, 9)
	equal(t, len(got), 5+300<<10)
}

func TestALogIsBounded(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "wal"), Options{MaxSize: 1 << 20})
	big := strings.Repeat("x", 10<<10)
	n := 0
	for ; !l.Full(); n++ {
		add(t, l, big)
	}
	if n < 100 || n > 105 {
		t.Errorf("full after %d", n)
	}
	var err error
	for ; err == nil; n++ { // those that asked too early
		err = l.Append(frameOf(big))
	}
	if !errors.Is(err, ErrFull) || n > 120 || l.Size() > 1<<20+1<<17 {
		t.Errorf("%v after %d, %d bytes", err, n, l.Size())
	}
	_, at := read(t, l, 60)
	commit(t, l, at)
	equal(t, l.Full(), false)
	add(t, l, big)
}

func TestTheSmallestLogMakesRoom(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "wal"), Options{MaxSize: 78})
	for range 3 {
		add(t, l, "some fifty bytes, which are half of what it may hold")
		equal(t, l.Full(), true)
		_, at := read(t, l, 9)
		commit(t, l, at)
		equal(t, l.Size(), 0)
	}
}

func TestTornEndIsCutOffAndTheRestIsThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	l := open(t, dir, Options{})
	add(t, l, "a", "b", "last")
	die(t, l)
	path := filepath.Join(l.slot, segmentName(1))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := len(data); cut >= 0; cut-- { // whatever byte the write came to
		if err := os.WriteFile(path, data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		want := "a,b,last,new"
		switch whole := cut - segmentHead; {
		case whole < Head+1:
			want = "new"
		case whole < 2*(Head+1):
			want = "a,new"
		case whole < 2*(Head+1)+Head+4:
			want = "a,b,new"
		}
		l, err := Open(dir, Options{Sync: SyncNone})
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		add(t, l, "new")
		if got, _ := read(t, l, 9); got != want || l.Damaged() != 0 {
			t.Errorf("cut at %d: %s, %d damaged", cut, got, l.Damaged())
		}
		die(t, l)
		if err := os.Remove(filepath.Join(l.slot, segmentName(2))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryFlippedBitIsSeen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	l := open(t, dir, Options{})
	add(t, l, "first", "second", "third")
	die(t, l)
	path := filepath.Join(l.slot, segmentName(1))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(data) {
		flipped := append([]byte(nil), data...)
		flipped[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		var got []string
		found, err := Inspect(dir, func(p []byte, _ bool) error { got = append(got, string(p)); return nil })
		at := bit / 8
		switch {
		case at >= 8 && at < segmentHead: // the version, and what is not used yet
			if err == nil && (len(got) != 3 || found.Damaged != 0) {
				t.Errorf("bit %d: %v %+v", bit, got, found)
			}
			if err != nil && !errors.Is(err, ErrNewer) {
				t.Errorf("bit %d: %v", bit, err)
			}
		case err != nil || found.Damaged+found.Torn != 1:
			t.Errorf("bit %d: %+v %v", bit, found, err)
		case at < segmentHead && len(got) != 3:
			t.Errorf("bit %d: %v", bit, got)
		case at >= segmentHead && !slices.Contains([]string{"first,second", "first,third", "second,third"}, strings.Join(got, ",")):
			t.Errorf("bit %d: %v", bit, got)
		}
	}
}

func TestADamagedFileIsReadPassedOverAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	l := open(t, dir, Options{})
	add(t, l, "first", "second", "third")
	die(t, l)
	path := filepath.Join(l.slot, segmentName(1))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[segmentHead+Head+5+Head] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, Options{})
	add(t, l, "new")
	got, at := read(t, l, 9)
	equal(t, got, "first,third,new")
	commit(t, l, at)
	equal(t, l.Damaged(), 1)
	kept, err := os.ReadFile(path + damagedSuffix)
	if err != nil || string(kept) != string(data) {
		t.Errorf("%v", err)
	}
	found, err := Inspect(dir, func([]byte, bool) error { return nil })
	equal(t, err, nil)
	equal(t, found.SetAside, 1)
}

func TestWhatNobodyUnderstandsIsKept(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "wal"), Options{MaxSize: 1 << 20})
	add(t, l, "good", "bad", strings.Repeat("x", 150<<10), "after")
	var end Position
	for range 2 {
		var err error
		end, err = l.Read(9, 1<<30, func(p []byte) error {
			if string(p) == "bad" {
				return errors.New("what is this")
			}
			return nil
		})
		equal(t, err, nil)
	}
	commit(t, l, end)
	equal(t, l.Damaged(), 1)
	_, aside, _ := listSegments(l.slot)
	equal(t, aside, 1)
}

func TestALogOfANewerVersionIsLeftAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	l := open(t, dir, Options{})
	add(t, l, "a")
	die(t, l)
	path := filepath.Join(l.slot, segmentName(1))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[8] = version + 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrNewer) {
		t.Errorf("got %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(data) {
		t.Errorf("%v", err)
	}
}

func TestTwoLogsOnOneFolderKeepApart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	one, two := open(t, dir, Options{}), open(t, dir, Options{})
	if one.Dir() == two.Dir() {
		t.Fatal("they share a slot")
	}
	add(t, one, "a")
	add(t, two, "b", "c")
	if err := one.Adopt(); err != nil {
		t.Fatal(err)
	}
	got, _ := read(t, one, 9)
	equal(t, got, "a")
	_, at := read(t, two, 1)
	commit(t, two, at)
	die(t, two)
	if err := one.Adopt(); err != nil {
		t.Fatal(err)
	}
	add(t, one, "d")
	got, at = read(t, one, 9)
	equal(t, got, "b,c,d") // b comes again: a row that is there is skipped
	commit(t, one, at)
	equal(t, len(segments(t, two)), 0)
	three := open(t, dir, Options{})
	equal(t, three.Dir(), two.Dir())
	got, _ = read(t, three, 9)
	equal(t, got, "")
}

func TestAKilledProcessLeavesAllThatItWrote(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childFolder+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 7)
	if _, err := out.Read(said); err != nil || string(said) != "written" {
		t.Fatalf("%s %v", said, err)
	}
	live := open(t, dir, Options{})
	got, _ := read(t, live, 200)
	equal(t, got, "") // it lives
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	if err := live.Adopt(); err != nil {
		t.Fatal(err)
	}
	got, _ = read(t, live, 200)
	equal(t, strings.Count(got, "child"), 100)
}

func TestManyAppendAtOnce(t *testing.T) {
	for _, sync := range []Sync{SyncNone, SyncInterval, SyncAlways} {
		l := open(t, filepath.Join(t.TempDir(), "wal"), Options{MaxSize: 1 << 20, Sync: sync})
		appendMany(t, l)
		seen := map[string]bool{}
		for {
			got, at := read(t, l, 100)
			if got == "" {
				break
			}
			for _, p := range strings.Split(got, ",") {
				seen[p] = true
			}
			commit(t, l, at)
		}
		equal(t, len(seen), 800)
		equal(t, l.Damaged(), 0)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := l.Append(frameOf("late")); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
	}
}

func appendMany(t *testing.T, l *Log) {
	t.Helper()
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range 100 {
				if err := l.Append(frameOf(fmt.Sprintf("%d-%d-%s", w, i, strings.Repeat("x", 900)))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestPlacesThatDoNotServe(t *testing.T) {
	f := func(dir, want string) {
		t.Helper()
		l, err := Open(dir, Options{})
		if err == nil {
			t.Errorf("%s was opened: %v", dir, l.Close())
			return
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("got %q, want %q with the path", err, want)
		}
	}
	root := t.TempDir()
	f(filepath.Join(root, "missing", "wal"), "no such file")
	file := filepath.Join(root, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f(file, "not a directory")
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "wal"), Options{})
	add(t, l, "a")
	_, at := read(t, l, 1)
	commit(t, l, at)
	entries, err := os.ReadDir(l.slot)
	equal(t, err, nil)
	equal(t, len(entries), 3)
	for _, e := range entries {
		info, err := e.Info()
		equal(t, err, nil)
		equal(t, info.Mode().Perm(), 0o600)
	}
}

// TestAWriteThatFailedLeavesNoTrace: what a full disk took of a frame is written over.
func TestAWriteThatFailedLeavesNoTrace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	l := open(t, dir, Options{Sync: SyncNone})
	add(t, l, "a")
	if _, err := l.file.WriteAt(frameOf("half a fra"), l.size); err != nil {
		t.Fatal(err)
	}
	add(t, l, "b")
	equal(t, l.Probe(), nil)
	add(t, l, "c")
	die(t, l)
	l = open(t, dir, Options{})
	got, _ := read(t, l, 9)
	equal(t, got, "a,b,c")
	equal(t, l.Damaged(), 0)
}

func BenchmarkAppend(b *testing.B) {
	for _, sync := range []Sync{SyncNone, SyncInterval, SyncAlways} {
		b.Run(string(sync), func(b *testing.B) {
			l, err := Open(filepath.Join(b.TempDir(), "wal"), Options{Sync: sync})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				frame := make([]byte, Head+400)
				for pb.Next() {
					if err := l.Append(frame); errors.Is(err, ErrFull) {
						b.StopTimer()
						for n := 1; n > 0; {
							n = 0
							end, err := l.Read(1<<16, 1<<30, func([]byte) error { n++; return nil })
							if err = errors.Join(err, l.Commit(end)); err != nil {
								b.Error(err)
							}
						}
						b.StartTimer()
					} else if err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

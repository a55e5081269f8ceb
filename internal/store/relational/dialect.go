package relational

import (
	"regexp"
	"strconv"
	"strings"
)

// Dialect is what differs between two databases.
type Dialect struct {
	// Name is sqlite or postgres: lines of a migration that begin with "--NAME:" are for that database alone.
	Name string
	// Numbered says that parameters are $1, $2, … rather than ?.
	Numbered bool
	// MigrationLock is a statement after which other migrations wait for the end of the transaction; empty where the
	// transaction itself sees to that.
	MigrationLock string
	// Words are the database's own for words of the migrations.
	Words map[string]string
	// MaxRows is how many rows one INSERT takes at most, a power of two.
	MaxRows int
	// Prepared says that statements that are run several times are prepared, for each transaction: the driver reads a text anew
	// each time. Where it keeps them itself, or a pooler forbids it, they are not.
	Prepared bool
	// Detached says that statements of a transaction do not follow a context that can end, because the driver pays for that
	// with a goroutine for each. The context is looked at before the commit.
	Detached bool
	// Packed says that a row of the book is a few columns and a JSON object rather than a column for each value, and that
	// rows are found by the slices of time in which a value occurs rather than by an index of each column. See packed.go.
	Packed bool
}

// bind writes a query's parameters as the database wants them. No query has a question mark in a literal.
func (d *Dialect) bind(query string) string {
	if !d.Numbered {
		return query
	}
	var b strings.Builder
	b.Grow(len(query) + 64)
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		query = after
	}
}

// word matches what Words may replace.
var word = regexp.MustCompile(`\b\w+\b`)

// migration writes a migration's text in the database's words.
func (d *Dialect) migration(text string) string {
	lines := strings.Split(text, "\n")
	kept := lines[:0]
	for _, line := range lines {
		if rest, special := strings.CutPrefix(line, "--"); special {
			name, statement, found := strings.Cut(rest, ":")
			if !found || name != d.Name {
				continue
			}
			line = statement
		}
		kept = append(kept, line)
	}
	return word.ReplaceAllStringFunc(strings.Join(kept, "\n"), func(w string) string {
		if own, found := d.Words[w]; found {
			return own
		}
		return w
	})
}

// places are the parameters of rows of an INSERT.
func places(columns, rows int) string {
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	return row + strings.Repeat(", "+row, rows-1)
}

// chunks calls f with parts of a list of n items. Their lengths are powers of two, so that few statements serve all
// lengths of a list.
func (d *Dialect) chunks(n int, f func(from, to int) error) error {
	for from := 0; from < n; {
		size := d.MaxRows
		for size > n-from {
			size /= 2
		}
		if err := f(from, from+size); err != nil {
			return err
		}
		from += size
	}
	return nil
}

package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says what a Problem means for the start of the server.
type Severity int

const (
	// Error means that the configuration cannot be used.
	Error Severity = iota + 1
	// Warning means that something will not do what its author may expect.
	Warning
	// Note means that a line has no effect and needs none.
	Note
)

// String returns the word that stands in the printed problem.
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	case Note:
		return "note"
	default:
		return "problem"
	}
}

// Problem is one complaint about a configuration. It never holds a secret.
type Problem struct {
	Severity Severity
	// File is the path as it was given, or as the include line gives it relative to that.
	File string
	// Line and Column count from 1. Both are 0 only when the file itself could not be read.
	Line, Column int
	// Key is the dotted path of the setting, such as model_list[0].litellm_params.model. Empty for syntax errors.
	Key string
	// Message says in one line what is wrong and what was expected.
	Message string
	// Suggestion is the name that was probably meant, or "".
	Suggestion string
}

// String gives the line that a compiler would print: file:line:column: severity: message.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	fmt.Fprintf(&b, ": %s: %s", p.Severity, p.Message)
	if p.Suggestion != "" {
		fmt.Fprintf(&b, "; did you mean %q?", p.Suggestion)
	}
	return b.String()
}

// HasErrors tells whether any of the problems is an Error, so that the Config beside them must not be used.
func HasErrors(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity == Error })
}

// complaints collects problems during one load.
type complaints struct {
	list []Problem
	// seen counts the places of complaints that are made once per setting, by index into list.
	seen map[string]*repeated
	// files gives the order in which the files were read, which is the order of the report.
	files []string
}

type repeated struct{ index, more int }

func (c *complaints) add(s Severity, at Pos, key, suggestion, format string, args ...any) {
	c.list = append(c.list, Problem{
		Severity: s, File: at.File, Line: at.Line, Column: at.Column,
		Key: key, Message: oneLine(fmt.Sprintf(format, args...)), Suggestion: suggestion,
	})
}

func (c *complaints) errorf(at Pos, key, format string, args ...any) {
	c.add(Error, at, key, "", format, args...)
}

func (c *complaints) warnf(at Pos, key, format string, args ...any) {
	c.add(Warning, at, key, "", format, args...)
}

// once complains about the first place of id and counts the others: a setting that Outcrop does not have may stand in
// a hundred deployments.
func (c *complaints) once(id string, s Severity, at Pos, key, format string, args ...any) {
	if r, ok := c.seen[id]; ok {
		r.more++
		return
	}
	if c.seen == nil {
		c.seen = make(map[string]*repeated)
	}
	c.seen[id] = &repeated{index: len(c.list)}
	c.add(s, at, key, "", format, args...)
}

// report returns the problems in the order of the files and lines.
func (c *complaints) report() []Problem {
	for _, r := range c.seen {
		switch p := &c.list[r.index]; r.more {
		case 0:
		case 1:
			p.Message += " (also in 1 other place)"
		default:
			p.Message += fmt.Sprintf(" (also in %d other places)", r.more)
		}
	}
	c.seen = nil
	// A value behind an anchor, or in a named credential, is looked at wherever it is used, and is wrong only once.
	type place struct {
		file         string
		line, column int
		message      string
	}
	told := make(map[place]bool, len(c.list))
	c.list = slices.DeleteFunc(c.list, func(p Problem) bool {
		at := place{p.File, p.Line, p.Column, p.Message}
		twice := told[at] && p.Line > 0
		told[at] = true
		return twice
	})
	order := make(map[string]int, len(c.files))
	for i, f := range c.files {
		if _, ok := order[f]; !ok {
			order[f] = i
		}
	}
	slices.SortStableFunc(c.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(order[a.File], order[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return c.list
}

// oneLine keeps control characters of a file out of the terminal: a problem is one printable line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, s)
}

// clip shortens a text from the file for a message.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}

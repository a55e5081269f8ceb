package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// maxFileSize bounds one file, in bytes.
	maxFileSize = 4 << 20
	// maxFiles bounds how many files include may bring.
	maxFiles = 100
)

// reader reads a file and what it includes into one tree.
type reader struct {
	*loader
	// chain holds the files that are being read, to find one that includes itself.
	chain []string
	done  map[string]bool
}

// root parses data and merges the files that it includes. It returns nil when there is nothing to go on with.
func (r *reader) root(name string, data []byte) *node {
	r.files = append(r.files, name)
	key := filepath.Clean(name)
	r.chain = append(r.chain, key)
	r.done[key] = true
	defer func() { r.chain = r.chain[:len(r.chain)-1] }()

	tree := r.parse(name, data)
	if tree == nil {
		return nil
	}
	include := tree.get("include")
	if include == nil || include.kind == kindNull {
		return tree
	}
	if include.kind == kindString {
		include = &node{kind: kindList, at: include.at, items: []*node{include}}
	}
	if include.kind != kindList {
		r.errorf(include.at, "include", "include must be a list of files, not %s", include.what())
		return tree
	}
	for i, item := range include.items {
		path := fmt.Sprintf("include[%d]", i)
		r.expand(&r.complaints, item, path, "include")
		if item.kind == kindMissing {
			continue
		}
		if file, ok := r.text(item, path); ok {
			r.include(tree, item.at, path, name, file)
		}
	}
	return tree
}

// include reads file, which is relative to the file that names it, and merges it into tree.
func (r *reader) include(tree *node, at Pos, path, from, file string) {
	if !filepath.IsAbs(file) {
		file = filepath.Join(filepath.Dir(from), file)
	}
	key := filepath.Clean(file)
	for _, open := range r.chain {
		if open == key {
			r.errorf(at, path, "%s includes itself: %s", file, strings.Join(append(r.chain, key), " → "))
			return
		}
	}
	switch {
	case r.done[key]:
		r.warnf(at, path, "%s is included already", file)
		return
	case len(r.files) >= maxFiles:
		r.errorf(at, path, "more than %d files are included", maxFiles)
		return
	}
	data, err := r.opts.read(file)
	if err != nil {
		r.errorf(at, path, "%s cannot be read: %s", file, plain(err))
		return
	}
	if other := r.root(file, data); other != nil {
		merge(tree, other)
	}
}

// merge adds other to n: lists are joined, mappings merged, and a later scalar wins.
func merge(n, other *node) {
	for _, f := range other.fields {
		if f.key == "include" {
			continue
		}
		old := n.get(f.key)
		switch {
		case old == nil:
			n.fields = append(n.fields, f)
		case old.kind == kindList && f.value.kind == kindList:
			old.items = append(old.items, f.value.items...)
		case old.kind == kindMap && f.value.kind == kindMap:
			merge(old, f.value)
		case f.value.kind == kindNull:
		default:
			for i := range n.fields {
				if n.fields[i].key == f.key {
					n.fields[i] = f
				}
			}
		}
	}
}

// parse turns one file into a tree.
func (r *reader) parse(name string, data []byte) *node {
	start := Pos{File: name, Line: 1, Column: 1}
	if len(data) > maxFileSize {
		r.errorf(start, "", "the file has %d bytes; at most %d are read", len(data), maxFileSize)
		return nil
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) || (err == nil && (len(doc.Content) == 0 || emptyDocument(doc.Content[0]))) {
		r.errorf(start, "", "the file is empty; it needs at least a model_list")
		return nil
	}
	if err == nil {
		switch next := d.Decode(&more); {
		case next == nil:
			at := Pos{File: name, Line: max(more.Line, 1), Column: max(more.Column, 1)}
			r.errorf(at, "", "a second YAML document begins here; one file holds one")
		case !errors.Is(next, io.EOF):
			err = next
		}
	}
	if err != nil {
		r.syntax(name, data, err)
		return nil
	}
	p := planter{complaints: &r.complaints, file: name, open: make(map[*yaml.Node]bool)}
	tree := p.plant(doc.Content[0], "", 0, false)
	if tree.kind != kindMap {
		r.errorf(tree.at, "", "the file must be a mapping with model_list and the like, not %s", tree.what())
		return nil
	}
	return tree
}

func emptyDocument(y *yaml.Node) bool {
	return y.Kind == yaml.ScalarNode && y.ShortTag() == "!!null"
}

var (
	yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)
	// quoted finds what brackets do not count in: quoted text and comments.
	quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:^|\s)#.*$`)
	// afterQuote finds a comma behind a quoted value. It is an error in block style only.
	afterQuote = regexp.MustCompile(`^\s*(?:- )?[\w.-]+:\s+(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*(,)\s*(?:#.*)?$`)
)

// syntax complains about a file that is no YAML, with the two usual causes by name.
func (r *reader) syntax(name string, data []byte, err error) {
	at := Pos{File: name, Line: 1, Column: 1}
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 {
			at.Line = n
		}
		message = message[len(m[0]):]
	}
	lines := strings.Split(string(data), "\n")
	flow := 0
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		if m := afterQuote.FindStringSubmatchIndex(line); m != nil && flow <= 0 {
			at.Line, at.Column = i+1, m[2]+1
			r.errorf(at, "", "not valid YAML: a comma follows the quoted value; remove it")
			return
		}
		bare := quoted.ReplaceAllString(line, "")
		flow += strings.Count(bare, "{") + strings.Count(bare, "[") - strings.Count(bare, "}") - strings.Count(bare, "]")
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if tab := strings.IndexByte(indent, '\t'); tab >= 0 && i+3 > at.Line && i < at.Line && strings.TrimSpace(line) != "" {
			at.Line, at.Column = i+1, tab+1
			r.errorf(at, "", "not valid YAML: a tab in the indentation; use spaces")
			return
		}
	}
	r.errorf(at, "", "not valid YAML: %s", message)
}

// readFile reads a file of at most maxFileSize bytes, and one more byte of a longer one.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	return data, errors.Join(err, f.Close())
}

// plain gives the cause of a file error without the path, which the message has already.
func plain(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

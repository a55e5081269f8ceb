package catalog

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"sync"
)

//go:embed models.json
var embedded []byte

//go:embed models.schema.json
var schema []byte

// Schema returns the JSON Schema of the catalogue's data.
func Schema() []byte { return bytes.Clone(schema) }

// Catalog is a set of models. It is not changed after it was read and is safe for concurrent use.
type Catalog struct {
	version  string
	models   []*Model
	byID     map[string]*Model
	aliases  map[string]*alias
	prefixes map[string]bool // geographies of profiles
	provider map[string]bool
}

type alias struct {
	model    *Model
	override *override
}

type file struct {
	Schema  int      `json:"schema"`
	Version string   `json:"version"`
	Units   string   `json:"units"`
	Models  []*Model `json:"models"`
}

// Default returns the catalogue that is built in.
var Default = sync.OnceValues(func() (*Catalog, error) { return Parse(embedded) })

// Parse reads a catalogue. An unknown member, a duplicate id or alias, or a price below zero is an error; see [Check]
// for all that is wrong.
func Parse(data []byte) (*Catalog, error) {
	f, err := decode(data)
	if err != nil {
		return nil, err
	}
	c := &Catalog{
		version: f.Version, models: f.Models, byID: make(map[string]*Model, len(f.Models)), aliases: map[string]*alias{},
		prefixes: map[string]bool{}, provider: map[string]bool{},
	}
	for _, m := range f.Models {
		if m == nil || m.ID == "" {
			return nil, fmt.Errorf("catalogue: a model without id")
		}
		if c.byID[m.ID] != nil {
			return nil, fmt.Errorf("catalogue: the id %s stands twice", m.ID)
		}
		c.byID[m.ID] = m
		if provider, _, ok := strings.Cut(m.ID, "."); ok {
			c.provider[provider] = true
		}
		for name := range m.ProfileOverrides {
			c.prefixes[name] = true
		}
	}
	for _, m := range f.Models {
		for _, a := range m.Aliases {
			if a == nil || a.ID == "" || c.aliases[a.ID] != nil || c.byID[a.ID] != nil {
				return nil, fmt.Errorf("catalogue: an alias of %s is empty or stands twice", m.ID)
			}
			c.aliases[a.ID] = &alias{m, a}
		}
	}
	sort.Slice(c.models, func(i, j int) bool { return c.models[i].ID < c.models[j].ID })
	return c, nil
}

func decode(data []byte) (*file, error) {
	var f file
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	return &f, nil
}

// Models returns all models, sorted by id.
func (c *Catalog) Models() []*Model { return c.models }

// Version names the state of the facts.
func (c *Catalog) Version() string { return c.version }

// Lookup finds the model of an id, an alias, or an inference profile's id, and the profile's geography.
func (c *Catalog) Lookup(id string) (m *Model, profile string) {
	m, profile, _ = c.lookup(id)
	return m, profile
}

func (c *Catalog) lookup(id string) (*Model, string, *override) {
	for range 2 {
		if a := c.aliases[id]; a != nil {
			return a.model, "", a.override
		}
		if m := c.byID[id]; m != nil {
			return m, "", nil
		}
		if prefix, rest, ok := strings.Cut(id, "."); ok && c.prefixes[prefix] {
			if a := c.aliases[rest]; a != nil {
				return a.model, prefix, a.override
			}
			if m := c.byID[rest]; m != nil {
				return m, prefix, nil
			}
		}
		// A context size behind the version ("…-v2:0:51k") is part of the id in the URL, but no model of its own.
		i := strings.LastIndexByte(id, ':')
		if i < 0 || !strings.HasSuffix(id, "k") {
			break
		}
		id = id[:i]
	}
	return nil, "", nil
}

// Knows reports whether a name, without "bedrock/" in front, is clearly one of Bedrock's: a known id or profile, an ARN of
// Bedrock or SageMaker, or an id of a known provider.
func (c *Catalog) Knows(name string) bool {
	ref, err := c.Resolve(name)
	if err != nil {
		return false
	}
	if ref.Model != nil || ref.ARN != nil {
		return true
	}
	id := ref.ID
	if prefix, rest, ok := strings.Cut(id, "."); ok && (c.prefixes[prefix] || isGeography(prefix)) {
		id = rest
	}
	provider, _, ok := strings.Cut(id, ".")
	return ok && c.provider[provider]
}

// isGeography knows the prefixes of profiles that AWS uses and that no model of the catalogue has yet.
func isGeography(prefix string) bool {
	switch prefix {
	case "us", "eu", "apac", "global", "jp", "au", "us-gov", "ca", "in", "sa", "me", "af", "mx", "kr", "sg", "ap":
		return true
	}
	return false
}

// Nearest returns up to n names that a misspelt one may have meant, the likeliest first: from extra, and from the ids of
// the models.
func (c *Catalog) Nearest(name string, n int, extra ...string) []string {
	type candidate struct {
		name  string
		score int
	}
	wanted := strings.ToLower(strings.TrimPrefix(name, "bedrock/"))
	if wanted == "" {
		return nil
	}
	if len(wanted) > 128 {
		wanted = wanted[:128]
	}
	var list []candidate
	consider := func(known string) {
		low := strings.ToLower(known)
		score := distance(wanted, low)
		limit := max(2, len(wanted)/4)
		if len(wanted) >= 4 && strings.Contains(low, wanted) || len(low) >= 4 && strings.Contains(wanted, low) {
			score = min(score, limit)
		}
		if score <= limit {
			list = append(list, candidate{known, score})
		}
	}
	for _, known := range extra {
		consider(known)
	}
	for _, m := range c.models {
		if m.Mode == "chat" {
			consider(m.ID)
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].score < list[j].score })
	var names []string
	for _, k := range list[:min(n, len(list))] {
		names = append(names, k.name)
	}
	return names
}

// distance is the number of insertions, deletions and substitutions between two short texts (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

package catalog

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

//go:embed models.json
var embedded []byte

//go:embed models.schema.json
var schema []byte

// Schema returns the JSON Schema of the catalogue's data.
func Schema() []byte { return bytes.Clone(schema) }

// Catalog is a set of models. Its facts do not change after they were read; it is safe for concurrent use.
type Catalog struct {
	version  string
	models   []*Model
	byID     map[string]*Model
	aliases  map[string]*alias
	mantle   map[string]*Model // ids that exist on Mantle alone
	provider map[string]bool
	priced   sync.Map // priceBasis → Price: what has been worked out before
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

// Default returns the catalogue that is built in. It is read at the first call; its facts are checked by a test, not again
// at every start.
var Default = sync.OnceValues(func() (*Catalog, error) {
	f, err := decode(embedded)
	if err != nil {
		return nil, err
	}
	return build(f), nil
})

// Parse reads a catalogue. Anything that [Check] would complain of is an error, which lists the first of it.
func Parse(data []byte) (*Catalog, error) {
	if problems := Check(data); len(problems) > 0 {
		more := ""
		if n := len(problems) - 1; n > 0 {
			more = fmt.Sprintf(" (and %d more)", n)
		}
		return nil, fmt.Errorf("catalogue: %s%s", problems[0], more)
	}
	f, err := decode(data)
	if err != nil {
		return nil, err
	}
	return build(f), nil
}

// build makes the look-up tables of data that [Check] is content with.
func build(f *file) *Catalog {
	c := &Catalog{
		version: f.Version, models: f.Models, byID: make(map[string]*Model, len(f.Models)), aliases: map[string]*alias{},
		mantle: map[string]*Model{}, provider: map[string]bool{},
	}
	for _, m := range f.Models {
		c.byID[m.ID] = m
		if provider, _, ok := strings.Cut(m.ID, "."); ok {
			c.provider[provider] = true
		}
		for _, a := range m.Aliases {
			c.aliases[a.ID] = &alias{m, a}
		}
		if surface := m.Surfaces[mantle]; surface != nil && surface.ID != "" {
			c.mantle[surface.ID] = m
		}
	}
	return c
}

func decode(data []byte) (*file, error) {
	var f file
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the end of the data")
	}
	return &f, nil
}

// Models returns all models, sorted by id. Neither the list nor the models may be changed.
func (c *Catalog) Models() []*Model { return c.models }

// Version names the state of the facts.
func (c *Catalog) Version() string { return c.version }

// Lookup finds the model of an id, an alias, or an inference profile's id, and the profile's geography.
func (c *Catalog) Lookup(id string) (m *Model, profile string) {
	m, profile, _ = c.lookup(id)
	return m, profile
}

// lookup is Lookup with what an alias changes. It does not find ids that exist on Mantle alone.
func (c *Catalog) lookup(id string) (*Model, string, *override) {
	for range 2 {
		if a := c.aliases[id]; a != nil {
			return a.model, "", a.override
		}
		if m := c.byID[id]; m != nil {
			return m, "", nil
		}
		if prefix, rest, ok := strings.Cut(id, "."); ok && isGeography(prefix) {
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

// Knows reports whether a name is clearly one of Bedrock's: a known id or profile, an ARN of Bedrock or SageMaker, or an id
// of a known provider.
func (c *Catalog) Knows(name string) bool {
	ref, err := c.Resolve(name)
	if err != nil {
		return false
	}
	if ref.Model != nil || ref.ARN != nil {
		return true
	}
	id := ref.ID
	if prefix, rest, ok := strings.Cut(id, "."); ok && isGeography(prefix) {
		id = rest
	}
	provider, _, ok := strings.Cut(id, ".")
	return ok && c.provider[provider] || c.claude(id) != nil
}

// isGeography knows the prefixes of AWS's cross-region inference profiles, some of which no model of the catalogue has yet.
func isGeography(prefix string) bool {
	switch prefix {
	case "us", "eu", "apac", "global", "jp", "au", "us-gov", "ca", "in", "sa", "me", "af", "mx", "kr", "sg", "ap":
		return true
	}
	return false
}

// Nearest returns up to n names that a misspelt one may have meant, the likeliest first: from extra, and from the ids of
// the models for chat. A name with a profile's prefix gets profiles that exist.
func (c *Catalog) Nearest(name string, n int, extra ...string) []string {
	type candidate struct {
		name  string
		score int
	}
	wanted := strings.ToLower(strings.TrimPrefix(name, "bedrock/"))
	if wanted == "" || n <= 0 {
		return nil
	}
	if len(wanted) > 128 {
		wanted = wanted[:128]
	}
	var list []candidate
	consider := func(wanted, known, shown string) {
		low := strings.ToLower(known)
		limit := max(2, len(wanted)/4)
		score := limit + 1
		if gap := len(wanted) - len(low); -limit <= gap && gap <= limit { // else the distance is larger anyway
			score = distance(wanted, low)
		}
		if len(wanted) >= 4 && strings.Contains(low, wanted) || len(low) >= 4 && strings.Contains(wanted, low) {
			score = min(score, limit)
		}
		if score <= limit {
			list = append(list, candidate{shown, score})
		}
	}
	for _, known := range extra {
		consider(wanted, known, known)
	}
	geography, rest, ok := strings.Cut(wanted, ".")
	ok = ok && rest != "" && isGeography(geography)
	for _, m := range c.models {
		switch {
		case m.Mode != "chat":
		case ok && m.ProfileOverrides[geography] != nil:
			consider(rest, m.ID, geography+"."+m.ID)
		case ok:
			consider(rest, m.ID, m.ID)
		default:
			consider(wanted, m.ID, m.ID)
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(a.score, b.score) })
	var names []string
	for _, k := range list {
		if len(names) == n {
			break
		}
		if !slices.Contains(names, k.name) {
			names = append(names, k.name)
		}
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

package anthropic

import (
	"slices"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// verdict is what a member is found to be while it is read.
type verdict bool

const (
	keep verdict = true
	cut  verdict = false
)

// cutter notes what is to be left out of an object or array, with the commas that belong to it.
type cutter struct {
	d *decoder
	// kept says that something before stays; end is where the last member ends. pending is where a cut began that goes on to
	// the next member, -1 if there is none.
	kept    bool
	end     int
	pending int
}

// at comes before each member: from is where it begins.
func (c *cutter) at(from int) {
	if c.pending >= 0 {
		c.d.cut(c.pending, from, "")
		c.pending = -1
	}
}

// done comes after each member, which began at from, with the cuts before it.
func (c *cutter) done(from int, v verdict, before int) {
	to := c.d.Pos
	switch {
	case v == keep:
		c.kept = true
	case c.kept:
		c.d.original.Cuts = c.d.original.Cuts[:before] // what was cut inside goes with it
		c.d.cut(c.end, to, "")
	default:
		c.d.original.Cuts = c.d.original.Cuts[:before]
		c.pending = from
	}
	c.end = to
}

func (c *cutter) close() {
	if c.pending >= 0 {
		c.d.cut(c.pending, c.end, "")
	}
}

func (d *decoder) cut(from, to int, with string) {
	d.original.Cuts = append(d.original.Cuts, llm.Cut{Span: llm.Span{From: from, To: to}, With: with})
}

// insertCut puts a cut where it belongs in the order; those inside of it go.
func (d *decoder) insertCut(c llm.Cut) {
	cuts := slices.DeleteFunc(d.original.Cuts, func(have llm.Cut) bool { return have.From >= c.From && have.To <= c.To })
	i := slices.IndexFunc(cuts, func(have llm.Cut) bool { return have.From >= c.From })
	if i < 0 {
		i = len(cuts)
	}
	d.original.Cuts = slices.Insert(cuts, i, c)
}

// members walks an object; member consumes each value and says whether it stays in the body. One that is null is not there.
func (d *decoder) members(path string, member func(name []byte) (verdict, error)) error {
	if d.Peek() != jsonscan.KindObject {
		return d.WrongType(path, "an object")
	}
	c := cutter{d: d, pending: -1}
	more, err := d.OpenObject()
	for ; err == nil && more; more, err = d.NextMember() {
		d.Peek()
		from := d.Pos
		c.at(from)
		before := len(d.original.Cuts)
		key, err := d.Key()
		if err != nil {
			return err
		}
		v := cut
		absent, err := d.Null()
		if err == nil && !absent {
			v, err = member(key)
		}
		if err != nil {
			return err
		}
		c.done(from, v, before)
	}
	if err == nil {
		c.close()
	}
	return err
}

// elements walks an array; element consumes each and says whether it stays in the body.
func (d *decoder) elements(path string, element func(i int) (verdict, error)) error {
	if d.Peek() != jsonscan.KindArray {
		return d.WrongType(path, "an array")
	}
	c := cutter{d: d, pending: -1}
	more, err := d.OpenArray()
	for i := 0; err == nil && more; more, err = d.NextElement() {
		d.Peek()
		from := d.Pos
		c.at(from)
		before := len(d.original.Cuts)
		v, err := element(i)
		if err != nil {
			return err
		}
		c.done(from, v, before)
		i++
	}
	if err == nil {
		c.close()
	}
	return err
}

// leave deals with a member that a block does not have or that Bedrock does not take: the value is consumed and left out.
func (d *decoder) leave(object, path, name string) (verdict, error) {
	_, err := d.Skip()
	if what := fields[object][name]; what != silent {
		d.req.Lose(path+"."+name, what.why())
	}
	return cut, err
}

package openai

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

func (d *decoder) stop() error {
	if d.s.Peek() == jsonscan.KindString {
		word, err := d.s.Word("stop")
		d.req.Stop = appendStop([]string{}, word)
		return err
	}
	if d.s.Peek() != jsonscan.KindArray {
		return d.s.WrongType("stop", "a string or an array of strings")
	}
	d.req.Stop = []string{}
	more, err := d.s.OpenArray()
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		if absent, err := d.s.Null(); err != nil {
			return err
		} else if !absent {
			word, err := d.s.Word(read.Index("stop", i))
			if err != nil {
				return err
			}
			d.req.Stop = appendStop(d.req.Stop, word)
		}
		i++
	}
	return err
}

// appendStop leaves blank sequences out: they mean nothing and AWS refuses them.
func appendStop(list []string, word string) []string {
	if strings.TrimSpace(word) == "" {
		return list
	}
	return append(list, word)
}

// choices reads n. How many are too many is not for the dialect to say.
func (d *decoder) choices() error {
	n, err := d.int("n", 1)
	if err == nil {
		d.req.N = int(*n)
	}
	return err
}

func (d *decoder) streamOptions() error {
	return d.s.Each("stream_options", func(name []byte) (err error) {
		if string(name) == "include_usage" {
			d.req.IncludeUsage, err = d.s.Flag("stream_options.include_usage")
			return err
		}
		if string(name) == "include_obfuscation" { // padding against traffic analysis: Outcrop adds none
			asked, err := d.s.Flag("stream_options.include_obfuscation")
			if asked {
				d.req.Lose("stream_options.include_obfuscation", "unsupported")
			}
			return err
		}
		return d.ignore("stream_options." + string(name))
	})
}

func (d *decoder) effort() error {
	const path = "reasoning_effort"
	if d.s.Peek() != jsonscan.KindObject {
		return d.effortWord(path)
	}
	return d.s.Each(path, func(name []byte) error { // the Responses API's shape
		if string(name) == "effort" {
			return d.effortWord(path + ".effort")
		}
		return d.ignore(path + "." + string(name))
	})
}

// ignore passes over a value that means nothing here, and says so.
func (d *decoder) ignore(path string) error {
	d.req.Lose(path, "ignored")
	_, err := d.s.Skip()
	return err
}

func (d *decoder) effortWord(path string) error {
	word, err := d.s.Word(path)
	if err != nil {
		return err
	}
	switch word {
	case "none", "minimal", "low", "medium", "high", "xhigh", "max":
		d.req.Effort = word
	case "default":
	default:
		return llm.Invalid(path, path+` must be one of none, minimal, low, medium, high, xhigh, max, not "`+read.Clip(word)+`"`)
	}
	return nil
}

func (d *decoder) tier(path string) error {
	word, err := d.s.Word(path)
	if err != nil {
		return err
	}
	switch word {
	case "auto", "default":
		d.req.Tier = "default"
	case "flex", "priority", "reserved":
		d.req.Tier = word
	default:
		return llm.Invalid(path, path+` must be one of auto, default, flex, priority, reserved, not "`+read.Clip(word)+`"`)
	}
	return nil
}

// awsTier reads Converse's own {"type": "flex"}.
func (d *decoder) awsTier() error {
	return d.soleMember("serviceTier", "type", func() error { return d.tier("serviceTier.type") })
}

func (d *decoder) performance() error {
	return d.soleMember("performanceConfig", "latency", func() error {
		word, err := d.s.Word("performanceConfig.latency")
		if err == nil && word != "standard" && word != "optimized" {
			return llm.Invalid("performanceConfig.latency", `performanceConfig.latency must be standard or optimized, not "`+read.Clip(word)+`"`)
		}
		d.req.Latency = word
		return err
	})
}

// soleMember reads an object that has one known member; AWS refuses any other.
func (d *decoder) soleMember(path, name string, read func() error) error {
	return d.each(path, func(key []byte) error {
		if string(key) != name {
			return llm.Invalid(path+"."+string(key), path+" has no member "+string(key))
		}
		return read()
	})
}

// metadata is OpenAI's. Its tags are the request's tags, as with LiteLLM, and go to the gateway's books like its
// spend_logs_metadata; nothing else of it is kept.
func (d *decoder) metadata() error { return d.booksMetadata("metadata") }

// litellmMetadata is LiteLLM's own name for the same, for dialects whose metadata is the model's. What it says wins.
func (d *decoder) litellmMetadata() error {
	const name = "litellm_metadata"
	if d.s.Peek() != jsonscan.KindObject {
		return d.ignore(name)
	}
	return d.booksMetadata(name)
}

func (d *decoder) booksMetadata(path string) error {
	return d.each(path, func(name []byte) error {
		at := path + "." + string(name)
		switch {
		case string(name) == "tags" && d.s.Peek() == jsonscan.KindArray:
			tags, err := d.strings(at)
			d.req.Tags = append(d.req.Tags, tags...)
			return err
		case string(name) == memberRow && d.s.Peek() == jsonscan.KindObject:
			return d.rowMetadata(path == "metadata")
		}
		return d.ignore(at)
	})
}

// memberRow is the member of metadata that is kept in the row of a request.
const memberRow = "spend_logs_metadata"

// rowMetadata keeps what the row of a request shall have; yields leaves what was said elsewhere.
func (d *decoder) rowMetadata(yields bool) error {
	raw, err := d.s.Skip()
	if !yields || d.control.RowMetadata == nil {
		d.control.RowMetadata = raw
	}
	return err
}

func (d *decoder) requestMetadata() error {
	const path = "requestMetadata"
	return d.each(path, func(key []byte) error {
		name := string(key)
		for _, p := range d.req.Metadata {
			if p.Key == name {
				return duplicate(path + "." + name)
			}
		}
		value, err := d.s.Word(path + "." + name)
		d.req.Metadata = append(d.req.Metadata, llm.Pair{Key: name, Value: value})
		return err
	})
}

func (d *decoder) betas() error {
	if d.s.Peek() == jsonscan.KindString {
		word, err := d.s.Word("anthropic_beta")
		d.req.AddBetas(word)
		return err
	}
	list, err := d.strings("anthropic_beta")
	for _, flag := range list {
		d.req.AddBetas(flag)
	}
	return err
}

func (d *decoder) format() error {
	const path = "response_format"
	f := llm.Format{}
	err := d.s.Each(path, func(name []byte) (err error) {
		switch string(name) {
		case "type":
			f.Type, err = d.s.Word(path + ".type")
		case "json_schema":
			err = d.jsonSchema(path+".json_schema", &f)
		case "response_schema":
			f.Schema, err = d.s.Raw(path + ".response_schema")
		default:
			err = d.ignore(path + "." + string(name))
		}
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case f.Type == "text":
		return nil
	case f.Type == "json_object" && f.Schema != nil:
		f.Type = "json_schema"
	case f.Type == "json_object":
	case f.Type == "json_schema" && f.Schema == nil:
		return llm.Invalid(path+".json_schema.schema", "response_format of type json_schema needs json_schema.schema")
	case f.Type == "json_schema":
	case f.Type == "":
		return read.Missing(path + ".type")
	default:
		return llm.Invalid(path+".type", path+`.type must be text, json_object or json_schema, not "`+read.Clip(f.Type)+`"`)
	}
	d.req.Format = &f
	return nil
}

func (d *decoder) jsonSchema(path string, f *llm.Format) error {
	return d.s.Each(path, func(name []byte) error { return d.schemaMember(path, string(name), f) })
}

// schemaMember reads a member of what describes a structured answer.
func (d *decoder) schemaMember(path, name string, f *llm.Format) (err error) {
	switch name {
	case "name":
		f.Name, err = d.s.Word(path + ".name")
	case "description":
		f.Description, err = d.s.Text(path + ".description")
	case "schema":
		f.Schema, err = d.s.Raw(path + ".schema")
	case "strict":
		f.Strict, err = d.boolPointer(path + ".strict")
	default:
		err = d.ignore(path + "." + name)
	}
	return err
}

package openai

import (
	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// cacheRules reads cache_control_injection_points: {location: message, role?, index?} or {location: tool_config}, each
// with a control that may hold a ttl.
func (d *decoder) cacheRules(path string) ([]llm.CacheRule, error) {
	rules := []llm.CacheRule{}
	more, err := d.array(path)
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		rule, err := d.cacheRule(read.Index(path, i))
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
		i++
	}
	return rules, err
}

func (d *decoder) cacheRule(path string) (llm.CacheRule, error) {
	var rule llm.CacheRule
	located := false
	err := d.s.Each(path, func(name []byte) error {
		where := path + "." + string(name)
		switch string(name) {
		case "location":
			word, err := d.s.Word(where)
			if err != nil {
				return err
			}
			if word != "message" && word != "tool_config" {
				return llm.Invalid(where, where+` must be message or tool_config, not "`+read.Clip(word)+`"`)
			}
			located, rule.Tools = true, word == "tool_config"
			return nil
		case "role":
			return d.cacheRole(where, &rule)
		case "index":
			return d.cacheIndex(where, &rule)
		case "control":
			point, err := d.cacheControl()
			if err == nil {
				rule.TTL = point.TTL
			}
			return within(err, path)
		default:
			return d.ignore(where)
		}
	})
	if err == nil && !located {
		err = llm.Invalid(path+".location", path+".location is missing: message or tool_config")
	}
	if err == nil && !rule.Tools && rule.Role == "" && rule.Index == nil {
		err = llm.Invalid(path, path+" needs a role or an index")
	}
	return rule, err
}

func (d *decoder) cacheRole(path string, rule *llm.CacheRule) error {
	word, err := d.s.Word(path)
	if err != nil {
		return err
	}
	switch word {
	case "system", "developer":
		rule.Role = "system"
	case "user", "assistant", "tool":
		rule.Role = word
	default:
		return llm.Invalid(path, path+` must be system, user, assistant or tool, not "`+read.Clip(word)+`"`)
	}
	return nil
}

// cacheIndex reads a message's number, which is negative when it counts from the end; LiteLLM's users write it as text,
// too.
func (d *decoder) cacheIndex(path string, rule *llm.CacheRule) error {
	const most = 1 << 30
	if d.s.Peek() == jsonscan.KindString {
		word, err := d.s.Word(path)
		if err != nil {
			return err
		}
		inner := decoder{s: read.New([]byte(word)), req: d.req, control: d.control}
		if rule.Index, err = inner.int(path, -most); err == nil {
			err = inner.s.End()
		}
		if err != nil {
			return llm.Invalid(path, path+" must be an integer, not "+read.Clip(word))
		}
		return nil
	}
	var err error
	rule.Index, err = d.int(path, -most)
	return err
}

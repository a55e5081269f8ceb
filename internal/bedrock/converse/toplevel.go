package converse

import (
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/llm"
)

// thinkingTokensPath asks Claude for its own count of thinking tokens; nothing else tells it.
const thinkingTokensPath = "/usage/output_tokens_details"

// maxFieldPaths is AWS's limit of additionalModelResponseFieldPaths.
const maxFieldPaths = 10

// topLevel writes AWS's other members.
func (e *encoder) topLevel() {
	f := &e.fields
	e.responseFieldPaths()
	e.raw("promptVariables", f.promptVariables)
	e.requestMetadata()
	switch e.req.Latency {
	case "":
		e.raw("performanceConfig", f.performance)
	case "standard", "optimized":
		e.member("performanceConfig")
		e.dst = append(append(append(e.dst, `{"latency":"`...), e.req.Latency...), '"', '}')
	default:
		e.refuse("performanceConfig.latency", "performanceConfig.latency must be standard or optimized")
	}
	switch e.req.Tier {
	case "":
		e.raw("serviceTier", f.tier)
	case "auto", "default", "priority", "flex", "reserved":
		tier := e.req.Tier
		if tier == "auto" {
			tier = "default"
		}
		e.member("serviceTier")
		e.dst = append(append(append(e.dst, `{"type":"`...), tier...), '"', '}')
	default:
		e.refuse("service_tier", "service_tier must be auto, default, flex, priority or reserved")
	}
	e.outputConfig()
}

func (e *encoder) raw(name string, value []byte) {
	if value != nil {
		e.member(name)
		e.dst = append(e.dst, value...)
	}
}

func (e *encoder) responseFieldPaths() {
	paths := e.fields.paths
	if e.think.on && len(paths) < maxFieldPaths && !e.m.promptResource {
		paths = addOnce(paths[:len(paths):len(paths)], thinkingTokensPath)
	}
	for i, p := range paths {
		if i == 0 {
			e.member("additionalModelResponseFieldPaths")
			e.dst = append(e.dst, '[')
		} else {
			e.dst = append(e.dst, ',')
		}
		e.dst = llm.AppendString(e.dst, p)
	}
	if len(paths) > 0 {
		e.dst = append(e.dst, ']')
	}
}

// The limits of requestMetadata, from AWS's API reference.
const (
	maxMetadata      = 16
	maxMetadataChars = 256
)

// requestMetadata writes the pairs for AWS's invocation log. A pair that AWS would refuse is refused by its key, or
// left out by name where the policy drops.
func (e *encoder) requestMetadata() {
	sent := 0
	for i := range e.req.Metadata {
		p := &e.req.Metadata[i]
		why := ""
		switch {
		case p.Key == "" || !isMetadata(p.Key):
			why = "must be 1 to 256 letters, digits, white space or any of :_@$#=/+,.-"
		case !isMetadata(p.Value):
			why = "has a value that is not 0 to 256 letters, digits, white space or any of :_@$#=/+,.-"
		case sent == maxMetadata:
			why = "is one too many: AWS takes 16 pairs"
		}
		if why != "" {
			param := "requestMetadata." + p.Key
			if !e.req.Policy.Drop {
				e.refuse(param, "the key "+strconv.Quote(p.Key)+" "+why)
				return
			}
			e.req.Lose(param, "invalid")
			continue
		}
		if sent == 0 {
			e.member("requestMetadata")
			e.dst = append(e.dst, '{')
		} else {
			e.dst = append(e.dst, ',')
		}
		sent++
		e.dst = llm.AppendString(e.dst, p.Key)
		e.dst = append(e.dst, ':')
		e.dst = llm.AppendString(e.dst, p.Value)
	}
	if sent > 0 {
		e.dst = append(e.dst, '}')
	}
}

func isMetadata(s string) bool {
	if len(s) > maxMetadataChars {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isNameByte(c) && strings.IndexByte(" \t\n\r\v\f:@$#=/+,.", c) < 0 {
			return false
		}
	}
	return true
}

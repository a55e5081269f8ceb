package converse

import (
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// readUsage reads AWS's usage object. Newer models give the cache counts twice, the second time under …TokenCount:
// they are the same numbers. cacheDetails count only if they add up to what was written.
func readUsage(s *jsonscan.Scanner, u *llm.Usage) error {
	if s.Peek() != jsonscan.KindObject {
		_, err := s.Skip()
		return err
	}
	var written, read, written2, read2, details5m, details1h int64
	more, err := s.OpenObject()
	for ; err == nil && more; more, err = s.NextMember() {
		key, err := s.Key()
		if err != nil {
			return err
		}
		var target *int64
		switch string(key) {
		case "inputTokens":
			target = &u.Input
		case "outputTokens":
			target = &u.Output
		case "totalTokens":
			target = &u.Total
		case "cacheReadInputTokens":
			target = &read
		case "cacheWriteInputTokens":
			target = &written
		case "cacheReadInputTokenCount":
			target = &read2
		case "cacheWriteInputTokenCount":
			target = &written2
		case "reasoningTokens": // of families whose own bodies tell it
			target = &u.Reasoning
		case "webSearches": // the same
			target = &u.Searches
		case "cacheDetails":
			if details5m, details1h, err = cacheDetails(s); err != nil {
				return err
			}
			continue
		}
		if err := count(s, target); err != nil {
			return err
		}
	}
	u.CacheRead = max(read, read2)
	written = max(written, written2)
	u.CacheWrite5m = written
	if written > 0 && details5m+details1h == written {
		u.CacheWrite5m, u.CacheWrite1h, u.CacheSplit = details5m, details1h, true
	}
	return err
}

// count reads a number of tokens into target; under a guardrail some models write them as floats. What is no number,
// or negative, counts nothing.
func count(s *jsonscan.Scanner, target *int64) error {
	if target == nil || s.Peek() != jsonscan.KindNumber {
		_, err := s.Skip()
		return err
	}
	raw, err := s.Number()
	if err != nil {
		return err
	}
	*target = tokens(raw)
	return nil
}

// maxTokens bounds what is believed: sums of a few counts cannot overflow.
const maxTokens = 1 << 50

func tokens(raw []byte) int64 {
	n, plain := int64(0), len(raw) <= 15
	for _, c := range raw {
		if c < '0' || c > '9' {
			plain = false
			break
		}
		n = n*10 + int64(c-'0')
		if n > maxTokens {
			return maxTokens
		}
	}
	if plain {
		return n
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || f < 0 {
		return 0
	}
	return int64(min(f, maxTokens))
}

func cacheDetails(s *jsonscan.Scanner) (five, hour int64, err error) {
	if s.Peek() != jsonscan.KindArray {
		_, err := s.Skip()
		return 0, 0, err
	}
	more, err := s.OpenArray()
	for ; err == nil && more; more, err = s.NextElement() {
		detail, err := s.Skip()
		if err != nil {
			return 0, 0, err
		}
		ttl, _ := memberOf(detail, "ttl")
		raw, _ := memberOf(detail, "inputTokens")
		switch string(ttl) {
		case `"5m"`:
			five += tokens(raw)
		case `"1h"`:
			hour += tokens(raw)
		}
	}
	return five, hour, err
}

// readTier reads serviceTier: {"type": …}.
func readTier(s *jsonscan.Scanner) (string, error) {
	raw, err := s.Skip()
	if err != nil {
		return "", err
	}
	tier, ok := memberOf(raw, "type")
	if !ok || len(tier) < 2 || tier[0] != '"' {
		return "", nil
	}
	return llm.RawText(tier[1 : len(tier)-1]).String(), nil
}

// reasoningTokens reads the count of thinking tokens out of additionalModelResponseFields, where Claude puts it when
// asked to. Other models' own bodies call it reasoning_tokens.
func reasoningTokens(fields []byte) int64 {
	usage, _ := memberOf(fields, "usage")
	details, ok := memberOf(usage, "output_tokens_details")
	if !ok {
		details, _ = memberOf(usage, "completion_tokens_details")
	}
	if raw, ok := memberOf(details, "thinking_tokens"); ok {
		return tokens(raw)
	}
	raw, ok := memberOf(details, "reasoning_tokens")
	if !ok {
		return 0
	}
	return tokens(raw)
}

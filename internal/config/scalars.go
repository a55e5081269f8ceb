package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// truth reads a boolean. YAML 1.1's words count as LiteLLM's parser reads them.
func truth(n *node) (value, ok bool) {
	if n.kind != kindBool && n.kind != kindString && n.kind != kindInt {
		return false, false
	}
	switch strings.ToLower(n.text) {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0":
		return false, true
	}
	return false, false
}

// number reads a number. A number in quotes counts, as it does in LiteLLM.
func number(n *node) (float64, bool) {
	if n.kind != kindInt && n.kind != kindFloat && n.kind != kindString {
		return 0, false
	}
	text, ok := numberJSON(strings.TrimSpace(n.text))
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// seconds reads a duration: a number of seconds, or number and unit as Go and LiteLLM write them (30s, 5m, 1h30m, 7d,
// 2w, 1mo of 30 days).
func seconds(n *node) (time.Duration, bool) {
	const longest = float64(math.MaxInt64) / float64(time.Second) / 2
	if f, ok := number(n); ok {
		if math.Abs(f) > longest {
			return 0, false
		}
		return time.Duration(f * float64(time.Second)), true
	}
	if n.kind != kindString {
		return 0, false
	}
	if d, err := time.ParseDuration(n.text); err == nil {
		return d, true
	}
	for unit, days := range map[string]float64{"mo": 30, "d": 1, "w": 7} {
		if count, ok := strings.CutSuffix(n.text, unit); ok {
			f, err := strconv.ParseFloat(count, 64)
			if err == nil && math.Abs(f)*days*86400 < longest {
				return time.Duration(f * days * 86400 * float64(time.Second)), true
			}
		}
	}
	return 0, false
}

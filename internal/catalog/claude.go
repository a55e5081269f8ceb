package catalog

import (
	"slices"
	"strings"
)

// Claude returns Bedrock's id for a name that a model of Anthropic's has in its own API, "" if it is none: with or without a
// date (claude-sonnet-4-5, claude-3-5-haiku-20241022), …-latest, or just the family (haiku). What stands before it,
// anthropic. or a geography, stays. A name without geography gets the inference profile that a region of AWS belongs to,
// since most models of today are only called through one.
func (c *Catalog) Claude(name, region string) string {
	geography, rest := "", name
	if before, after, found := strings.Cut(name, "anthropic."); found {
		geography, rest = before, after
	}
	m := c.claude(rest)
	switch {
	case m == nil:
		return ""
	case geography != "":
		return geography + m.ID
	}
	profiles := m.Profiles()
	for _, wanted := range geographies(region) {
		if slices.Contains(profiles, wanted) {
			return wanted + "." + m.ID
		}
	}
	return m.ID
}

// claude finds the model: of several with the same name the newest.
func (c *Catalog) claude(name string) *Model {
	wanted := strings.TrimSuffix(strings.TrimSuffix(name, "-latest"), "-0")
	isFamily := wanted == "haiku" || wanted == "sonnet" || wanted == "opus"
	if !isFamily && !strings.HasPrefix(wanted, "claude-") {
		return nil
	}
	var found *Model
	for _, m := range c.Models() {
		own, ok := strings.CutPrefix(m.ID, "anthropic.")
		if !ok {
			continue
		}
		own = withoutVersion(own)
		undated := withoutDate(own)
		switch {
		case own == wanted || undated == wanted || undated == withoutDate(wanted) && own == undated:
		case isFamily && strings.HasPrefix(undated, "claude-"+wanted+"-"):
		default:
			continue
		}
		if own == wanted {
			return m
		}
		if found == nil || newer(own, withoutVersion(strings.TrimPrefix(found.ID, "anthropic."))) {
			found = m
		}
	}
	return found
}

// withoutVersion cuts AWS's own version off an id: -v1, -v1:0.
func withoutVersion(id string) string {
	if at := strings.LastIndex(id, "-v"); at > 0 && strings.Trim(id[at+2:], "0123456789:") == "" {
		return id[:at]
	}
	return id
}

const dateLength = len("-20250929")

func withoutDate(name string) string {
	if n := len(name) - dateLength; n > 0 && name[n] == '-' && strings.Trim(name[n+1:], "0123456789") == "" {
		return name[:n]
	}
	return name
}

// newer reports whether a is a later release than b of the same name: by its version, then by its date.
func newer(a, b string) bool {
	va, vb := strings.Split(withoutDate(a), "-"), strings.Split(withoutDate(b), "-")
	for i := 0; i < len(va) && i < len(vb); i++ {
		if va[i] != vb[i] {
			return len(va[i]) > len(vb[i]) || len(va[i]) == len(vb[i]) && va[i] > vb[i]
		}
	}
	if len(va) != len(vb) {
		return len(va) > len(vb)
	}
	return a > b
}

// geographies are those whose profiles a region can call, the nearest first.
func geographies(region string) []string {
	switch {
	case strings.HasPrefix(region, "us-gov-"):
		return []string{"us-gov"}
	case strings.HasPrefix(region, "us-"), strings.HasPrefix(region, "ca-"):
		return []string{"us", "global"}
	case strings.HasPrefix(region, "eu-"):
		return []string{"eu", "global"}
	case region == "ap-northeast-1", region == "ap-northeast-3":
		return []string{"jp", "apac", "global"}
	case region == "ap-southeast-2", region == "ap-southeast-4":
		return []string{"au", "apac", "global"}
	case strings.HasPrefix(region, "ap-"):
		return []string{"apac", "global"}
	default:
		return []string{"global"}
	}
}

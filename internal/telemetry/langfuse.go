package telemetry

import (
	"cmp"
	"slices"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// LangfuseTags are the tags of a call for Langfuse: the request's, and those that langfuse_default_tags asks for by name.
func LangfuseTags(r *account.Record, asked []string) []string {
	tags := slices.Clone(r.Tags)
	for _, name := range asked {
		switch name {
		case "cache_hit":
			hit := "False"
			if r.CacheHit {
				hit = "True"
			}
			tags = append(tags, "cache_hit:"+hit)
		case "cache_key":
			tags = append(tags, "cache_key:"+cmp.Or(r.CacheKey, "None"))
		}
	}
	return tags
}

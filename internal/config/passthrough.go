package config

import (
	"maps"
	"slices"
)

// PassThroughUnlisted reports whether requests in AWS's own words are relayed to models that no model_name is for.
func (c *Config) PassThroughUnlisted() bool {
	if said := c.GeneralSettings.PassThroughUnlisted; said != nil {
		return *said
	}
	return len(c.ModelList) == 0
}

// checkPassThrough finds a bedrock_passthrough_credential that names nothing.
func (l *loader) checkPassThrough(tree *node, c *Config) {
	name := c.GeneralSettings.PassThroughCredential
	if name == "" {
		return
	}
	if _, ok := c.Credentials[name]; ok {
		return
	}
	names := slices.Collect(maps.Keys(c.Credentials))
	for i := range c.ModelList {
		d := &c.ModelList[i]
		if d.ModelName == name || d.Info.ID == name {
			return
		}
		names = append(names, d.ModelName)
	}
	slices.Sort(names)
	const key = "bedrock_passthrough_credential"
	at := tree.get("general_settings").present(key)
	if at == nil {
		return
	}
	l.add(Error, at.at, "general_settings."+key, Nearest(name, names), "%s names neither an entry of credential_list nor a deployment: %s", key, at.quote())
}

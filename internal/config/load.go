package config

import (
	"fmt"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

// Loader reads configurations. Its zero value reads files of the operating system and knows no variables.
type Loader struct {
	// Env looks a variable up, as os.LookupEnv does. nil: no variable is set.
	Env func(name string) (string, bool)
	// KnownModel tells whether a model without the prefix bedrock/ is one of Bedrock's. It is asked beside the shape of
	// the id. nil: only the shape counts.
	KnownModel func(id string) bool
	// Metrics are the metrics that Prometheus can be told of, by LiteLLM's names, with the labels that each can have. nil: names
	// of metrics and labels are not checked.
	Metrics map[string][]string
	// ReadFile reads an included file. nil: from the operating system.
	ReadFile func(path string) ([]byte, error)
}

// Load reads the file at path, with all that it includes, replaces os.environ/NAME by what env knows, and returns the
// configuration with every problem found. The Config is never nil, and to be used only if HasErrors is false.
// env is os.LookupEnv or the like; the process environment itself is neither read nor changed.
func Load(path string, env func(string) (string, bool)) (*Config, []Problem) {
	return (&Loader{Env: env}).Load(path)
}

// Parse is Load for a file's content. name stands in positions, and include lines are relative to it.
func Parse(name string, data []byte, env func(string) (string, bool)) (*Config, []Problem) {
	return (&Loader{Env: env}).Parse(name, data)
}

// Default returns what the server runs with when there is no file: every Bedrock model under its own id, with the
// default credentials, and what the environment says.
func Default(env func(string) (string, bool)) (*Config, []Problem) {
	return Parse("(no file)", []byte("model_list: [{model_name: \"bedrock/*\", litellm_params: {model: \"bedrock/*\"}}]\n"), env)
}

// Load is the package's Load with the Loader's options.
func (o *Loader) Load(path string) (*Config, []Problem) {
	data, err := o.read(path)
	if err != nil {
		c := &Config{Files: []string{path}}
		c.fill()
		return c, []Problem{{Severity: Error, File: path, Message: oneLine("the file cannot be read: " + plain(err))}}
	}
	return o.Parse(path, data)
}

// Parse is the package's Parse with the Loader's options.
func (o *Loader) Parse(name string, data []byte) (*Config, []Problem) {
	l := &loader{opts: o, environ: environ{process: o.Env}}
	c := &Config{}
	r := reader{loader: l, done: make(map[string]bool)}
	if tree := r.root(name, data); tree != nil {
		l.config(tree, name, c)
	}
	c.Files = l.files
	l.fromEnvironment(c, Pos{File: name, Line: 1, Column: 1})
	c.fill()
	return c, l.report()
}

func (o *Loader) read(path string) ([]byte, error) {
	if o.ReadFile != nil {
		return o.ReadFile(path)
	}
	return readFile(path)
}

// config decodes the whole tree.
func (l *loader) config(tree *node, name string, c *Config) {
	if vars := tree.get("environment_variables"); vars != nil {
		c.Environment = l.variables(vars)
	}
	for _, f := range tree.fields {
		if f.key != "environment_variables" && f.key != "include" {
			l.expand(&l.complaints, f.value, f.key, f.key)
		}
	}
	credentials := l.credentials(tree.get("credential_list"), c)
	if models := tree.get("model_list"); models.isSet() {
		l.deployments(models, credentials, c)
	} else {
		l.warnf(Pos{File: name, Line: 1, Column: 1}, "model_list", "there is no model_list: no model can be called")
	}
	l.callbackSettings(tree.get("callback_settings"), c)
	for _, f := range tree.fields {
		switch f.key {
		case "litellm_settings":
			l.section(f.value, f.key, SectionLitellm, &c.LitellmSettings, nil)
			l.checkMetricsLabels(f.value, &c.LitellmSettings)
		case "router_settings":
			l.section(f.value, f.key, SectionRouter, &c.RouterSettings, nil)
		case "general_settings":
			l.section(f.value, f.key, SectionGeneral, &c.GeneralSettings, nil)
			l.general(f.value, &c.GeneralSettings)
		case "model_list", "credential_list", "environment_variables", "include", "callback_settings":
		default:
			// A key that nobody knows but that carries an anchor is a place to keep shared values.
			if _, known := find(SectionTop, f.key); known || !(f.value.anchor || strings.HasPrefix(f.key, "x-")) {
				l.admit(SectionTop, f, join("", f.key))
			}
		}
	}
	l.crossCheck(tree, c)
	l.checkPassThrough(tree, c)
}

// variables reads environment_variables into the overlay, so that os.environ/NAME finds them everywhere else.
func (l *loader) variables(n *node) map[string]secret.Secret {
	const path = "environment_variables"
	if n.kind == kindNull {
		return nil
	}
	if n.kind != kindMap {
		l.errorf(n.at, path, "environment_variables must be a mapping of names to values, not %s", n.what())
		return nil
	}
	l.expand(&l.complaints, n, path, path)
	l.overlay = make(map[string]string, len(n.fields))
	out := make(map[string]secret.Secret, len(n.fields))
	for _, f := range n.fields {
		switch f.value.kind {
		case kindNull, kindMissing:
		case kindList, kindMap:
			l.errorf(f.value.at, join(path, f.key), "variable %s must be a string, not %s", clip(f.key), f.value.what())
		default:
			l.overlay[f.key] = f.value.text
			out[f.key] = secret.New(f.value.text)
		}
	}
	return out
}

// credentials reads credential_list and returns the values of each entry by name.
func (l *loader) credentials(n *node, c *Config) map[string]*node {
	if !n.isSet() {
		return nil
	}
	if n.kind != kindList {
		l.errorf(n.at, "credential_list", "credential_list must be a list, not %s", n.what())
		return nil
	}
	c.Credentials = make(map[string]LitellmParams, len(n.items))
	out := make(map[string]*node, len(n.items))
	for i, item := range n.items {
		path := fmt.Sprintf("credential_list[%d]", i)
		if item.kind != kindMap {
			l.errorf(item.at, path, "an entry of credential_list must be a mapping, not %s", item.what())
			continue
		}
		for _, f := range item.fields {
			l.admit(SectionCredential, f, join(path, f.key))
		}
		name, values := item.present("credential_name"), item.present("credential_values")
		if name == nil || values == nil {
			l.errorf(item.at, path, "an entry of credential_list needs credential_name and credential_values")
			continue
		}
		text, ok := l.text(name, path+".credential_name")
		if !ok {
			continue
		}
		if _, twice := out[text]; twice {
			l.errorf(name.at, path+".credential_name", "credential %q stands here twice", clip(text))
			continue
		}
		c.Credentials[text] = l.params(values, path+".credential_values")
		if values.kind == kindMap {
			out[text] = values
		}
	}
	return out
}

// fromEnvironment takes the settings that have a variable of their own and do not stand in the file.
func (l *loader) fromEnvironment(c *Config, at Pos) {
	g := &c.GeneralSettings
	for _, name := range []string{"OUTCROP_MASTER_KEY", "LITELLM_MASTER_KEY"} {
		if v, ok := l.lookup(name); ok && !g.MasterKey.IsSet() {
			g.MasterKey = secret.New(v)
		}
	}
	if v, ok := l.lookup("DATABASE_URL"); ok && v != "" && !g.DatabaseURL.IsSet() {
		if isDatabaseURL(v) {
			g.DatabaseURL = secret.New(v)
		} else { // of another program, perhaps
			l.warnf(at, "", "environment variable DATABASE_URL has no effect: it begins neither with sqlite: nor with postgresql://")
		}
	}
	flag := func(name string, dst *bool) {
		if v, ok := l.lookup(name); ok && v != "" {
			b, ok := truth(&node{kind: kindString, text: v})
			if !ok {
				l.errorf(at, "", "environment variable %s must be true or false", name)
			}
			*dst = *dst || b
		}
	}
	flag("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", &g.PermitWeakMasterKey)
	if v, ok := l.lookup("GRACEFUL_SHUTDOWN_TIMEOUT"); ok && v != "" && g.GracefulShutdownTimeout == 0 {
		d, ok := seconds(&node{kind: kindString, text: v})
		if !ok || d < 0 {
			l.errorf(at, "", "environment variable GRACEFUL_SHUTDOWN_TIMEOUT must be seconds")
			return
		}
		g.GracefulShutdownTimeout = d
	}
}

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/sim"
)

// demoModels are the names that the demo shows, each with the model behind it.
var demoModels = []struct{ name, id string }{
	{"claude", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
	{"nova", "us.amazon.nova-pro-v1:0"},
	{"llama", "us.meta.llama3-3-70b-instruct-v1:0"},
}

// demo is the command that runs the gateway against a simulated Bedrock, both in this process.
func demo(ctx context.Context, args []string, s stdio, lookup env) (err error) {
	o := serveOptions{keepAlive: 75}
	var master string
	var quiet bool
	f := newFlags("demo", "[--port N]", s.out)
	f.StringVar(&o.host, "host", "127.0.0.1", "address to listen on; 127.0.0.1")
	f.StringVar(&o.port, "port", "4000", "port to listen on; 4000")
	f.StringVar(&master, "master-key", "", "the master key; a new one for this run")
	f.StringVar(&o.dataDir, "data-dir", "", "folder of the database; one that is removed at the end")
	o.tls.flags(f, lookup)
	f.BoolVar(&quiet, "quiet", false, "print the address only")
	f.BoolVar(&o.detailedDebug, "detailed_debug", false, "log requests and answers with their bodies")
	if err := f.parse(args); err != nil {
		return err
	}
	if master == "" {
		master = "sk-" + strings.ToLower(rand.Text())
	}
	if o.dataDir == "" {
		dir, err := os.MkdirTemp("", "outcrop-demo-")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		o.dataDir = dir
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	bedrock := sim.New(simOptions())
	upstream, err := bedrock.Start()
	if err != nil {
		return err
	}
	defer bedrock.Close()
	c, problems := (&config.Loader{Env: lookup, KnownModel: knownModel()}).Parse("demo", demoConfig(upstream, master))
	if config.HasErrors(problems) {
		return fmt.Errorf("the demo's own configuration: %s", problems[0])
	}
	g, err := newGatewayProcess(c, &o, s, lookup)
	if err != nil {
		return err
	}
	return g.run(ctx, func(address string) {
		if !quiet {
			fmt.Fprint(s.out, demoText(address, master))
		}
		fmt.Fprintln(s.out, "Outcrop is ready on "+address)
	})
}

func demoConfig(upstream, master string) []byte {
	var b strings.Builder
	entry := func(name, model string) {
		fmt.Fprintf(&b, `
  - model_name: %q
    litellm_params:
      model: %q
      aws_access_key_id: %q
      aws_secret_access_key: %q
      aws_region_name: us-east-1
      aws_bedrock_runtime_endpoint: %[5]q
      aws_bedrock_control_plane_endpoint: %[5]q
`, name, "bedrock/"+model, sim.AccessKeyID, sim.SecretAccessKey, upstream)
	}
	b.WriteString("model_list:")
	for _, m := range demoModels {
		entry(m.name, m.id)
	}
	entry("bedrock/*", "*")
	fmt.Fprintf(&b, "general_settings:\n  master_key: %q\n  bedrock_passthrough_credential: %q\n", master, demoModels[0].name)
	return []byte(b.String())
}

func demoText(address, key string) string {
	var b strings.Builder
	b.WriteString("\nOutcrop with a simulated Bedrock: no AWS account is needed, and nothing costs anything.\n\nModels\n")
	for _, m := range demoModels {
		fmt.Fprintf(&b, "  %-8s %s\n", m.name, m.id)
	}
	fmt.Fprintf(&b, "  and every other Bedrock chat model under its own id\n\nMaster key of this run\n  %s\n\nTry it\n", key)
	fmt.Fprintf(&b, `  curl -s %[1]s/v1/chat/completions -H "Authorization: Bearer %[2]s" -H "Content-Type: application/json" -d '{"model":"claude","messages":[{"role":"user","content":"Hello!"}]}'

  curl -sN %[1]s/v1/chat/completions -H "Authorization: Bearer %[2]s" -H "Content-Type: application/json" -d '{"model":"claude","stream":true,"messages":[{"role":"user","content":"Hello!"}]}'

  python3 -c 'from openai import OpenAI; print(OpenAI(base_url="%[1]s/v1", api_key="%[2]s").chat.completions.create(model="claude", messages=[{"role": "user", "content": "Hello!"}]).choices[0].message.content)'

  A key of its own for a team or a program, for one model and 5 USD a month:
  curl -s %[1]s/key/generate -H "Authorization: Bearer %[2]s" -d '{"key_alias":"my-app","models":["claude"],"max_budget":5,"budget_duration":"1mo"}'

`, address, key)
	return b.String()
}

// simOptions makes the simulator list the models of the catalogue.
func simOptions() sim.Options {
	o := sim.Options{Region: ""}
	cat, err := catalog.Default()
	if err != nil {
		return o // the simulator has a short list of its own
	}
	for _, m := range cat.Models() {
		entry := sim.Model{ID: m.ID, Name: m.ID, Provider: m.Provider, Streaming: m.Streams()}
		if m.ProfileOnly {
			entry.Inference = []string{"INFERENCE_PROFILE"}
		}
		o.Models = append(o.Models, entry)
		for _, p := range m.Profiles() {
			o.Profiles = append(o.Profiles, sim.Profile{ID: p + "." + m.ID, Name: p + "." + m.ID, Models: []string{m.ID}})
		}
	}
	return o
}

package main

import (
	"errors"
	"fmt"
	"sort"

	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/deployment"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/telemetry/metrics"
)

// check is the command that says what is wrong with a configuration.
func check(args []string, s stdio, lookup env) error {
	f := newFlags("check", "--config FILE", s.out)
	var path string
	f.configFile(&path, "", "the configuration to check")
	if err := f.parse(args); err != nil {
		return err
	}
	if path == "" && f.NArg() == 1 {
		path = f.Arg(0)
	}
	if path == "" {
		return errors.New("check needs a configuration: outcrop check --config FILE")
	}
	c, problems := (&config.Loader{Env: lookup, KnownModel: knownModel(), Metrics: metrics.Known()}).Load(path)
	count := map[config.Severity]int{}
	for _, p := range problems {
		fmt.Fprintln(s.out, p.String())
		count[p.Severity]++
	}
	if count[config.Error] == 0 {
		warnings, err := deploymentWarnings(c, lookup)
		if err != nil {
			fmt.Fprintln(s.out, err)
			count[config.Error]++
		}
		warnings = append(warnings, callbackWarnings(c, lookup)...)
		warnings = append(warnings, alertWarnings(c, lookup)...)
		for _, w := range warnings {
			fmt.Fprintln(s.out, w)
			count[config.Warning]++
		}
	}
	if n := count[config.Error]; n > 0 {
		return finding{fmt.Sprintf("%s: %d error(s), %d warning(s)", path, n, count[config.Warning])}
	}
	fmt.Fprintf(s.out, "%s: %d deployment(s), no errors, %d warning(s)\n", path, len(c.ModelList), count[config.Warning])
	return nil
}

// deploymentWarnings says what only the model catalogue and the identities can see.
func deploymentWarnings(c *config.Config, lookup env) ([]string, error) {
	e, closeTable, err := offlineEngine(c, lookup)
	if err != nil {
		return nil, err
	}
	defer closeTable()
	var list []string
	found := e.Warnings()
	for i := range c.ModelList {
		d := &c.ModelList[i]
		for _, w := range found[d.Info.ID] {
			list = append(list, fmt.Sprintf("%s: warning: model_list[%d] (%s): %s", d.Pos, i, d.ModelName, w))
		}
	}
	sort.Strings(list)
	return list, nil
}

// offlineEngine makes an engine that plans calls and sends none.
func offlineEngine(c *config.Config, lookup env) (*engine.Engine, func(), error) {
	cat, err := catalog.Default()
	if err != nil {
		return nil, nil, err
	}
	environment := c.LookupEnv(lookup)
	table, err := deployment.NewTable(c, deployment.Options{Catalog: cat, Pool: identity.NewPool(environment), Env: environment, UserAgent: "outcrop/" + currentVersion()})
	if err != nil {
		return nil, nil, err
	}
	return engine.New(engine.Options{Catalog: cat, Router: table.Router, Connections: table.Connections, MaxChoices: c.GeneralSettings.MaxChoices}), table.Close, nil
}

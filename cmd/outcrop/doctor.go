package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/deployment"
	"github.com/outcrop-ai/outcrop/internal/router"
)

// doctor is the command that says, for each deployment, whether AWS would let it work.
func doctor(ctx context.Context, args []string, s stdio, lookup env) error {
	f := newFlags("doctor", "--config FILE", s.out)
	var o serveOptions
	var asJSON, calls bool
	f.configFile(&o.config, "", "the configuration to examine")
	f.BoolVar(&asJSON, "json", false, "print JSON instead of a table")
	f.BoolVar(&calls, "call", false, "call each chat model twice, whole and streamed, for one token: this costs a little")
	if err := f.parse(args); err != nil {
		return err
	}
	if o.config == "" && f.NArg() == 1 {
		o.config = f.Arg(0)
	}
	if o.config == "" {
		return errors.New("doctor needs a configuration: outcrop doctor --config FILE")
	}
	c, err := load(&o, s, lookup)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	list, err := examine(ctx, c, lookup, calls)
	if err != nil {
		return err
	}
	if asJSON {
		err = printDiagnosesJSON(s.out, list)
	} else {
		err = printDiagnoses(s.out, list)
	}
	if err != nil {
		return err
	}
	if n := countFailed(list); n > 0 {
		return finding{fmt.Sprintf("%s: %d of %d deployment(s) would fail", o.config, n, len(list))}
	}
	return nil
}

// The states of a check.
const (
	stateOK      = "ok"
	stateWarning = "warning"
	stateFailed  = "failed"
	// stateUnknown is what could not be asked, or was not.
	stateUnknown = "unknown"
)

// diagnosis is what was found of one deployment. Its JSON is what doctor --json prints.
type diagnosis struct {
	ID        string `json:"id"`
	ModelName string `json:"model_name"`
	Model     string `json:"model"`
	Route     string `json:"route,omitempty"`
	Region    string `json:"region,omitempty"`
	Endpoint  string `json:"endpoint,omitempty"`
	// Account and Principal are what STS said.
	Account   string        `json:"account,omitempty"`
	Principal string        `json:"principal,omitempty"`
	Checks    []examination `json:"checks"`
	// Actions are the IAM actions that the deployment's calls need, Resources what they are needed on.
	Actions   []string `json:"iam_actions"`
	Resources []string `json:"iam_resources"`
	// Regions are those that the inference profile sends calls to, as AWS says.
	Regions []string `json:"profile_regions,omitempty"`
	// Prices are in USD per token, by LiteLLM's names.
	Prices map[string]float64 `json:"prices,omitempty"`
}

// examination is the outcome of one check.
type examination struct {
	Check  string `json:"check"`
	State  string `json:"state"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

func (x *diagnosis) add(check, state, detail, hint string) {
	x.Checks = append(x.Checks, examination{check, state, detail, hint})
}

func (x *diagnosis) failed() bool {
	for _, c := range x.Checks {
		if c.State == stateFailed {
			return true
		}
	}
	return false
}

func countFailed(list []*diagnosis) int {
	n := 0
	for _, d := range list {
		if d.failed() {
			n++
		}
	}
	return n
}

const (
	// atOnce is how many deployments are examined at the same time.
	atOnce = 8
	// checkTime bounds one question to AWS, callTime one call of a model.
	checkTime = 15 * time.Second
	callTime  = 2 * time.Minute
)

// surgery is what all examinations share.
type surgery struct {
	catalog *catalog.Catalog
	table   *deployment.Table
	now     func() time.Time
	calls   bool
}

// examine looks at every deployment of a configuration, in its order.
func examine(ctx context.Context, c *config.Config, lookup env, calls bool) ([]*diagnosis, error) {
	cat, err := catalog.Default()
	if err != nil {
		return nil, err
	}
	environment := c.LookupEnv(lookup)
	pool := identity.NewPool(environment)
	defer pool.Close()
	table, err := deployment.NewTable(c, deployment.Options{Catalog: cat, Pool: pool, Env: environment, UserAgent: "outcrop/" + currentVersion()})
	if err != nil {
		return nil, err
	}
	defer table.Close()
	all := &surgery{catalog: cat, table: table, now: time.Now, calls: calls}
	deployments := table.Router.All()
	list := make([]*diagnosis, len(deployments))
	free := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, d := range deployments {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			list[i] = all.examine(ctx, d)
		})
	}
	wg.Wait()
	return list, nil
}

func (s *surgery) examine(ctx context.Context, d *router.Deployment) *diagnosis {
	x := &diagnosis{ID: d.ID, ModelName: d.Group, Model: d.Model, Route: d.Ref.RouteName(), Actions: []string{}, Resources: []string{}}
	p, err := s.table.Probe(d)
	if err != nil {
		x.add("region", stateFailed, err.Error(), "")
		return x
	}
	x.Region, x.Endpoint = p.Region, p.Runtime.URL("")
	switch {
	case p.Warning != "":
		x.add("region", stateWarning, p.Warning, "")
	case p.Region != "":
		x.add("region", stateOK, p.Region, "")
	}
	s.identity(ctx, x, p)
	s.endpoint(ctx, x, p)
	x.model(ctx, d, p)
	s.price(x, d)
	x.permissions(d, p)
	x.granted(ctx, p)
	if s.calls {
		s.call(ctx, x, d)
	}
	return x
}

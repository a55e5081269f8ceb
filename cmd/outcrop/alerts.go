package main

import (
	"context"
	"errors"
	"slices"

	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/telemetry/alerts"
)

// alertPlaces says where a configuration has alerts go, and what is wrong with that.
func alertPlaces(c *config.Config, lookup env) (alerts.Places, []error) {
	g := &c.GeneralSettings
	wishes := alerts.Wishes{Webhook: slices.Contains(g.Alerting, "webhook"), Slack: slices.Contains(g.Alerting, "slack"), Teams: slices.Contains(g.Alerting, "ms_teams")}
	byType := map[alerts.Type][]secret.Secret{}
	for name, list := range g.AlertToWebhookURL {
		byType[alerts.Type(name)] = list
	}
	return alerts.PlacesOf(wishes, byType, lookup)
}

// alertWarnings says which places of alerts cannot be used, and why.
func alertWarnings(c *config.Config, lookup env) []string {
	var list []string
	_, problems := alertPlaces(c, c.LookupEnv(lookup))
	for _, err := range problems {
		list = append(list, "warning: alerts do not arrive: "+err.Error())
	}
	return list
}

// openAlerts starts the alerts that the configuration asks for.
func (g *gatewayProcess) openAlerts() {
	s := &g.config.GeneralSettings
	places, problems := alertPlaces(g.config, g.env)
	for _, err := range problems {
		g.logger.Error("alerts do not arrive", "error", err)
	}
	o := alerts.Options{
		Places: places, Limits: g.limits, Directory: g.directory, Logger: g.logger, Database: g.databaseFailure,
		Rules: alerts.Rules{
			BudgetTTL: s.AlertingArgs.BudgetAlertTTL, OutageTTL: s.AlertingArgs.OutageAlertTTL, RegionTTL: s.AlertingArgs.RegionOutageAlertTTL,
			Minor: s.AlertingArgs.MinorOutageAlertThreshold, Major: s.AlertingArgs.MajorOutageAlertThreshold,
		},
		Deployments: func(yield func(alerts.Deployment)) {
			g.states(func(s engine.DeploymentState) {
				yield(alerts.Deployment{ID: s.ID, Group: s.Group, Model: s.Model, Region: s.Region, Endpoint: s.Endpoint, LeftAlone: s.LeftAlone})
			})
		},
	}
	o.ProxyURL, _ = g.env("PROXY_BASE_URL")
	if g.books.ledger != nil {
		o.Lost = func() uint64 { return g.books.ledger.Stats().Dropped }
	}
	if s.AlertTypes != nil {
		o.Types = []alerts.Type{}
		for _, name := range s.AlertTypes {
			o.Types = append(o.Types, alerts.Type(name))
		}
	}
	g.alerts = alerts.New(o)
}

// states calls yield with each deployment, once there is what calls them.
func (g *gatewayProcess) states(yield func(engine.DeploymentState)) {
	if e := g.calling.Load(); e != nil {
		e.States(yield)
	}
}

// databaseFailure says what is wrong with the database, nil if nothing is.
func (g *gatewayProcess) databaseFailure() error {
	switch {
	case g.books.ledger == nil:
		return nil
	case g.books.ledger.Stats().Failure != nil:
		return g.books.ledger.Stats().Failure
	case !g.books.store.opened():
		return errors.New("the database cannot be opened")
	case g.directory != nil && !g.directory.Ready():
		return errors.New("the keys cannot be read from the database")
	}
	return nil
}

func (g *gatewayProcess) closeAlerts() {
	ctx, cancel := context.WithTimeout(context.Background(), callbackTime)
	defer cancel()
	g.alerts.Close(ctx)
}

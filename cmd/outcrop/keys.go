package main

import (
	"context"
	"net/http"
	"net/netip"
	"path/filepath"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/deployment"
	"github.com/outcrop-ai/outcrop/internal/gateway/admin"
)

// usualWrongKeys is how many wrong keys an address may send in a minute when the configuration says nothing.
const usualWrongKeys = 100

// openDirectory starts what knows the virtual keys. A database that cannot be opened is one that is away: nobody is told that
// a key is none because nobody could look.
func (g *gatewayProcess) openDirectory() {
	if !g.config.GeneralSettings.MasterKey.IsSet() || g.books.store == nil {
		return // everybody may call, and nobody may make keys; or there is no database at all
	}
	o := account.DirectoryOptions{
		Store: g.books.store, Snapshot: filepath.Join(g.dataDir(), "outcrop-keys.json"), MaxAge: g.config.GeneralSettings.KeySnapshotMaxAge, Logger: g.logger,
	}
	if g.replicas != nil {
		g.changes = g.replicas.Invalidations(g.logger)
		o.Invalidations = g.changes
	}
	g.directory = account.NewDirectory(context.Background(), o)
}

// guard tells the server who may call, and what.
func (g *gatewayProcess) guard(manages *admin.API) {
	c, s := &g.config.GeneralSettings, g.server
	s.Keys, s.Admin = g.keys(), manages
	s.UserHeader, s.EnforceUser = http.CanonicalHeaderKey(c.UserHeaderName), c.EnforceUserParam
	s.AdminRoutes, s.AllowedRoutes = c.AdminOnlyRoutes, c.AllowedRoutes
}

// keys says who may call.
func (g *gatewayProcess) keys() *account.Keys {
	c := &g.config.GeneralSettings
	o := account.KeyOptions{
		Master: c.MasterKey, Header: c.KeyHeaderName, Directory: g.directory, AllowedIPs: networks(c.AllowedIPs),
		Addresses: account.Addresses{Forwarded: c.UseXForwardedFor, Proxies: networks(c.TrustedProxyRanges)}, MaxWrong: usualWrongKeys,
		AdmitUnavailable: c.AllowRequestsOnDBUnavailable,
	}
	if c.MaxWrongKeysPerMinute != nil {
		o.MaxWrong = *c.MaxWrongKeysPerMinute
	}
	return account.KeysOf(o)
}

// networks reads what the configuration has checked.
func networks(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range list {
		if p, err := account.ParseNetwork(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// admin returns what manages the keys, nil where there are none.
func (g *gatewayProcess) admin() (*admin.API, error) {
	if g.directory == nil {
		return nil, nil //nolint:nilnil // the gateway goes without
	}
	c := &g.config.LitellmSettings
	return admin.New(admin.Options{
		Directory: g.directory, Spend: &admin.StoredSpend{Store: g.books.store, Limits: g.limits, Zone: deployment.Limits(g.config).Zone}, Logger: g.logger,
		Settings: admin.Settings{
			DefaultKey: c.DefaultKeyGenerateParams, UpperKey: c.UpperboundKeyGenerateParams, KeyGeneration: c.KeyGenerationSettings,
			DefaultTeam: c.DefaultTeamParams, DefaultUser: c.DefaultInternalUserParams,
			UserBudget: c.MaxInternalUserBudget, UserBudgetDuration: c.InternalUserBudgetDuration,
		},
	})
}

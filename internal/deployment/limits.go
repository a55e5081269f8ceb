package deployment

import (
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/config"
)

// Limits reads how budgets and limits are kept, and those of the whole gateway. The counters are the caller's to choose.
func Limits(c *config.Config) account.LimitOptions {
	l, g := &c.LitellmSettings, &c.GeneralSettings
	o := account.LimitOptions{
		Status: l.BudgetExceededStatusCode, TokenType: g.TokenRateLimitType, FailClosed: g.FailClosedRateLimits,
		Global: account.Terms{MaxBudget: amount(l.MaxBudget), BudgetDuration: l.BudgetDuration},
	}
	if n := g.GlobalMaxParallelRequests; n != nil {
		most := int64(*n)
		o.Global.Parallel = &most
	}
	if l.MaxEndUserBudget != nil {
		o.EndUsers = &account.Terms{MaxBudget: amount(l.MaxEndUserBudget)}
	}
	if b, ok := c.RouterSettings.ProviderBudgetConfig["bedrock"]; ok {
		o.Provider = account.Terms{MaxBudget: amount(b.BudgetLimit), BudgetDuration: b.TimePeriod}
	}
	if l.Timezone != "" {
		if zone, err := time.LoadLocation(l.Timezone); err == nil { // it was checked
			o.Zone = zone
		}
	}
	return o
}

func amount(usd *float64) *account.Amount {
	if usd == nil {
		return nil
	}
	a := account.USD(*usd)
	return &a
}

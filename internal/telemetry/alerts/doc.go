// Package alerts tells people that a budget is nearly or wholly spent, that deployments fail, and that the database does.
//
// In comes who has called, as the [account.Record] of each finished call, and what is asked of others once a second: how
// owners stand towards their budgets, which deployments are left alone, whether the database works. Out go LiteLLM's events
// to a webhook and messages to Slack or Teams, one for each event and owner in a while. Requests wait for nothing: they leave
// a name, and one goroutine does the rest. The package must never send or log a key, nor the address of a webhook, which is
// a secret itself. Start reading at [Alerts.Add] and [Alerts.look].
package alerts

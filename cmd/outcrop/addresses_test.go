package main

import (
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/test/databases"
)

// TestRowsHaveTheAddressesOfClients, and what clients want to find in them, unless the configuration says that addresses are
// nobody's business.
func TestRowsHaveTheAddressesOfClients(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		const key, body = "sk-5c1e9b7d20a84f36", `{"model":"m","user":"USER","metadata":{"spend_logs_metadata":{"job":7}},"messages":[{"role":"user","content":"Hi"}]}`
		config := serveConfig(simulated(t), key, "")
		for _, c := range []struct{ user, general, want string }{
			{"told", "", "127.0.0.1"},
			{"untold", "  disable_requester_ip_address_logging: true\n", ""},
		} {
			p, address := runningOn(t, d, nil, "--config", write(t, config+c.general), "--host", "127.0.0.1")
			if status, answer := post(t, address, key, strings.Replace(body, "USER", c.user, 1)); status != 200 {
				t.Fatalf("%d %s", status, answer)
			}
			p.end(t)
			if got := d.Value(t, `SELECT coalesce(requester_ip_address, '') || ' ' || metadata FROM spend_logs WHERE end_user = '`+c.user+`'`); got != c.want+` {"job":7}` {
				t.Errorf("%s: %s", c.user, got)
			}
		}
	})
}

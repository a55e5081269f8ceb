package account

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestRowMetadataOfKeysAndTeams: what both say is there once, as the key has it; what no row can have is as if nobody had said it.
func TestRowMetadataOfKeysAndTeams(t *testing.T) {
	long := strings.Repeat("x", MaxMetadata)
	for _, c := range []struct{ key, team, want string }{
		{``, ``, ``},
		{`{"tags":["a"]}`, `{}`, ``},
		{`{"spend_logs_metadata":{"a":1}}`, ``, `{"a":1}`},
		{``, `{"spend_logs_metadata":{"a":1}}`, `{"a":1}`},
		{`{"spend_logs_metadata":{"a":{"k":1}}}`, `{"spend_logs_metadata":{"a":{"t":1},"b":[2]}}`, `{"a":{"k":1},"b":[2]}`},
		{`{"spend_logs_metadata":null}`, `{"spend_logs_metadata":{"a":1}}`, `{"a":1}`},
		{`{"spend_logs_metadata":"text"}`, `{"spend_logs_metadata":[1]}`, ``},
		{`{"spend_logs_metadata":{"a":"` + long + `"}}`, `{"spend_logs_metadata":{"a":1}}`, `{"a":1}`},
		{"{\"spend_logs_metadata\":{\"a\":\"\xff\"}}", ``, ``},
		{`nonsense`, `{"spend_logs_metadata":{"a":1}}`, `{"a":1}`},
	} {
		got := rowMetadata(&Key{Metadata: json.RawMessage(c.key)}, &Team{Metadata: json.RawMessage(c.team)})
		if string(got) != c.want {
			t.Errorf("%.60s %.60s: got %.60s, want %s", c.key, c.team, got, c.want)
		}
		if alone := rowMetadata(&Key{Metadata: json.RawMessage(c.key)}, nil); string(alone) != string(SpendMetadata(json.RawMessage(c.key))) {
			t.Errorf("%.60s: without a team %.60s", c.key, alone)
		}
	}
}

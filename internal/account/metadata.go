package account

import (
	"encoding/json"
	"unicode/utf8"
)

// MaxMetadata bounds what a client, a key and a team may each want to find in a row, in bytes of JSON.
const MaxMetadata = 8 << 10

// SpendMetadata returns the object spend_logs_metadata of a key's or a team's metadata; nil if there is none, or none that a
// row could have.
func SpendMetadata(metadata json.RawMessage) json.RawMessage {
	if len(metadata) == 0 {
		return nil
	}
	var m struct {
		Of json.RawMessage `json:"spend_logs_metadata"`
	}
	if json.Unmarshal(metadata, &m) != nil || len(m.Of) == 0 || m.Of[0] != '{' || len(m.Of) > MaxMetadata || !utf8.Valid(m.Of) {
		return nil // it is free: there may be something else
	}
	return m.Of
}

// rowMetadata returns what the rows of a key's calls have: what the key says, and what its team says beside it.
func rowMetadata(key *Key, team *Team) json.RawMessage {
	own := SpendMetadata(key.Metadata)
	if team == nil {
		return own
	}
	of := SpendMetadata(team.Metadata)
	switch {
	case of == nil:
		return own
	case own == nil:
		return of
	}
	all := map[string]json.RawMessage{}
	for _, object := range []json.RawMessage{of, own} {
		if json.Unmarshal(object, &all) != nil { // the second overwrites what the first has said
			return own
		}
	}
	out, err := json.Marshal(all)
	if err != nil {
		return own
	}
	return out
}

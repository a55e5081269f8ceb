package converse

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

const (
	// maxName is how long AWS lets tool names and tool use ids be.
	maxName = 64
	// keptOfLong is what stays of a longer one, before "_" and eight hex digits of its hash.
	keptOfLong = maxName - 1 - hashDigits
	hashDigits = 8
)

// nameChange is a tool whose name AWS does not take.
type nameChange struct{ client, upstream string }

// toolNames gives each tool a name that AWS takes ([a-zA-Z0-9_-]{1,64}) and no other tool has. A name that fits is
// left alone, so most requests need no entry. It lives for one request: names of one client never reach another.
type toolNames struct {
	changed []nameChange
	// kept are the names that go up as they are.
	kept []string
}

// add returns the upstream name of a tool, and makes it up on first sight.
func (n *toolNames) add(client string) string {
	for i := range n.changed {
		if n.changed[i].client == client {
			return n.changed[i].upstream
		}
	}
	name := client
	if !isToolName(client) {
		name = fitName(client)
	}
	if n.isTaken(name, client) {
		name = n.numbered(name, client)
	}
	if name == client {
		n.keep(client)
		return client
	}
	n.changed = append(n.changed, nameChange{client: client, upstream: name})
	return name
}

// numbered returns name with the first "_2", "_3", … that is free.
func (n *toolNames) numbered(name, client string) string {
	for i := 2; ; i++ {
		suffix := "_" + strconv.Itoa(i)
		next := name[:min(len(name), maxName-len(suffix))] + suffix
		if !n.isTaken(next, client) {
			return next
		}
	}
}

func (n *toolNames) isTaken(name, client string) bool {
	for i := range n.changed {
		if n.changed[i].upstream == name {
			return true
		}
	}
	for _, k := range n.kept {
		if k == name && k != client {
			return true
		}
	}
	return false
}

func (n *toolNames) keep(name string) {
	for _, k := range n.kept {
		if k == name {
			return
		}
	}
	n.kept = append(n.kept, name)
}

func isToolName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return true
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// fitName replaces what AWS does not take by "_" and shortens what is too long.
func fitName(client string) string {
	out := make([]byte, 0, len(client))
	for _, r := range client { // one "_" for each character, not for each byte
		if r < 0x80 && isNameByte(byte(r)) { //nolint:gosec // ASCII
			out = append(out, byte(r)) //nolint:gosec // ASCII
		} else {
			out = append(out, '_')
		}
	}
	if len(out) > maxName {
		return withHash(out[:keptOfLong], client)
	}
	return string(out)
}

// withHash appends "_" and the beginning of the SHA-256 of original to head.
func withHash(head []byte, original string) string {
	sum := sha256.Sum256([]byte(original))
	out := append(head[:len(head):len(head)], '_')
	return string(hex.AppendEncode(out, sum[:hashDigits/2]))
}

// toolUseID returns id if AWS takes it ([a-zA-Z0-9_.:-]{1,64}), else one made from it: the same for the call and its
// result, in every turn, and different for different ids. Anthropic's own body takes fewer characters
// ([a-zA-Z0-9_-]).
func toolUseID(id string, anthropic bool) string {
	isIDByte := isIDByte
	if anthropic {
		isIDByte = isNameByte
	}
	fits := id != "" && len(id) <= maxName
	for i := 0; fits && i < len(id); i++ {
		fits = isIDByte(id[i])
	}
	if fits {
		return id
	}
	head := make([]byte, 0, maxName)
	for _, r := range id {
		if len(head) == keptOfLong {
			break
		}
		if r < 0x80 && isIDByte(byte(r)) { //nolint:gosec // ASCII
			head = append(head, byte(r)) //nolint:gosec // ASCII
		} else {
			head = append(head, '_')
		}
	}
	return withHash(head, id)
}

func isIDByte(c byte) bool { return isNameByte(c) || c == '.' || c == ':' }

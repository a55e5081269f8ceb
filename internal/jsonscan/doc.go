// Package jsonscan walks JSON text once and hands out spans of it.
//
// The gateway's two hot decoders (a client's request, AWS's answer) want to look at a few members and copy the rest
// through untouched. encoding/json cannot do that without scanning the same text again at each level, so the hot path
// has this scanner: it checks the grammar of RFC 8259, valid UTF-8 and a depth limit while it goes over the text once,
// and returns the bytes of strings and values as they are spelled. It never copies, never builds maps, never reflects.
//
// What it accepts is exactly what encoding/json.Valid accepts in valid UTF-8 up to the depth limit; a fuzz target holds
// the two equal. Start reading at [Scanner].
package jsonscan

// Package load sends requests to a gateway and measures what comes back: as fast as the answers come, at a fixed rate,
// or as many streams at once. It speaks HTTP/1.1 over kept connections, as a client library would.
package load

// Package journal is a log on disk of what must not be lost: payloads are appended by many, read in order by one, and
// removed when they are safe elsewhere.
//
// In come payloads through [Log.Append]; when it has returned, the payload survives the death of the process. Out they go
// through [Log.Read], in the order in which they were written, and again after a restart unless [Log.Commit] said that they
// are safe. A folder of a log may be used by several processes: each takes a slot of its own, and the first that comes by
// adopts what a dead one left behind.
//
// The package must never lose a payload in silence or give one that is not what was appended: each is framed with a
// checksum, and what is damaged is counted, passed over and kept. It knows nothing of what the payloads mean. Start reading
// at [Log] and, for the bytes on disk, at frame.go.
package journal

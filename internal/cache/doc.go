// Package cache keeps answers, so that the same question need not be paid for twice.
//
// In comes a [Key], a digest of all that shapes an answer, out goes the [Entry] that was put under it: the answer in the
// words of the client's dialect, whole or as the events of a stream. Entries are kept in memory, within a bound of bytes,
// or in any other [Store]. Failures are never kept. The package knows no dialect. Start reading at [Memory].
package cache

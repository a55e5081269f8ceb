// Package telemetry is what operators see: the log.
//
// In come facts, as slog attributes with the names of fields.go, and one account.Record for every finished call. Out
// goes text or JSON, one line per fact and one per request, through a [Writer] that keeps system calls off the request
// path. Bodies are logged only where somebody asks for debug lines, cut and masked by [Body].
//
// The package must never print a secret: values of type secret.Secret print masked, fields and headers with the name of
// a credential are masked whatever they hold. Start reading at [New] and [RequestLine].
package telemetry

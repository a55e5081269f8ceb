// Package gateway is the HTTP server: routes, keys, limits, one small file per endpoint.
//
// In comes an HTTP request in one of the dialects; the gateway finds its route, asks for a key, bounds and reads the
// body, lets the dialect decode it, hands it to the engine, and writes the engine's answer back in the dialect, whole or
// as server-sent events. It never talks to AWS, never counts money, and never prints a secret.
//
// Every path stands in one table, [Server.Routes], which says who may call it: a route without a word on that needs a
// key. Start reading at [Server.ServeHTTP].
package gateway

// Package secret holds values that must not be seen: keys, tokens, passwords.
//
// In comes the plain text, once, from the configuration or from an AWS credential source. Out comes a [Secret], which
// prints as [Mask] through every verb of fmt, every encoder of the standard library and slog, also when it sits in an
// unexported field of a struct that somebody else prints. Only [Secret.Reveal] gives the text back, so a search for
// that word lists every place where a secret leaves its box.
//
// The package must never log, and no error of it may carry a value. Start reading at [Secret].
package secret

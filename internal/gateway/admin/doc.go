// Package admin is the API by which keys, users, teams, organizations, budgets, customers and tags are managed, in LiteLLM's
// words.
//
// In comes a [Request] with who asks, a query and a body; out go an answer that is written as JSON, or an error that names
// the field. What is changed goes through the account.Directory, so it acts at once here and within a second elsewhere. The
// package knows no HTTP. It never keeps, logs or returns a key's text, but for the one answer that makes the key.
//
// Bodies and answers are made of the same tables of fields (field.go, termsfields.go): what can be said can be read again, an
// unknown field is refused by name, and what is kept for others but not acted on comes back as it was said. Start reading at
// [API.GenerateKey].
package admin

// Package read reads the values of a client's body in one pass, and says of a wrong one what was expected where.
//
// In comes the JSON of a request; a dialect asks for one value after the other and gets Go values, or spans of the body
// where nothing needs to be looked at. Errors are *llm.Error of KindInvalid that name the member at fault with its path.
// It knows no dialect. Start reading at [Body].
package read

// Package invoke carries chats through InvokeModel, whose body is each model family's own.
//
// Converse's JSON is the normal form of a conversation: package converse prepares a request (turns, tools, names, blank
// text, reasoning, what the model lacks) and this package says the result again in the family's words. Answers and chunks
// go the other way: they are said in Converse's words, and package converse reads them. So every rule is written once, and
// a family is one file: what its body lacks, how a request is written, how an answer and a chunk are read.
package invoke

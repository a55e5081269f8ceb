// Package engine is the one pipeline that every call goes through, whether it came over HTTP or from the Go SDK:
// resolve the model's name, choose a deployment, fill in its defaults, encode for AWS, send, decode, and account.
//
// In goes a [Call] with an llm.Request, out comes an llm.Response or a stream of llm.Events, and one account.Record for
// every call, however it ended. A call that asks for several answers is made of several upstream calls (choices.go,
// merge.go); one that AWS refuses for something that the request can do without is made once more (repair.go). The engine
// never sees a client's dialect and writes no HTTP answer. Start reading at [Engine.Chat] and [Engine.ChatStream].
package engine

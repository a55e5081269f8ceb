package converse

import (
	"fmt"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/llm"
)

func benchmarkEncode(b *testing.B, r *llm.Request) {
	b.Helper()
	m := ref(b, claude37)
	dst, _, err := Encode(nil, r, m)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		if dst, _, err = Encode(dst[:0], r, m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeSmall(b *testing.B) {
	r := with(chat(user(raw(`What is the capital of France?`))), maxTokensOf(100), temperature(0.5))
	r.System = []llm.Block{raw(`You are helpful.`)}
	benchmarkEncode(b, r)
}

func BenchmarkEncode200KB(b *testing.B) {
	benchmarkEncode(b, chat(user(raw(strings.Repeat(`The quick brown fox.\n`, 10000)))))
}

func BenchmarkEncode20Tools(b *testing.B) {
	r := hi()
	for i := range 20 {
		r.Tools = append(r.Tools, llm.Tool{
			Name: fmt.Sprint("tool_", i), Description: raw(`Does a thing`).Text,
			Schema: []byte(`{"type":"object","properties":{` + strings.Repeat(`"a":{"type":"string","description":"something"},`, 12) + `"b":{}}}`),
		})
	}
	benchmarkEncode(b, r)
}

func BenchmarkDecode(b *testing.B) {
	body := []byte(answerOf(`{"text":"`+strings.Repeat(`Paris is the capital. `, 10)+`"}`, "end_turn"))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(body, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTextDelta(b *testing.B) {
	payload := []byte(`{"contentBlockIndex":0,"delta":{"text":" the capital of"},"p":"abcdefghijklmnopq"}`)
	kind := []byte("contentBlockDelta")
	s := &stream{}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, err := s.event(kind, payload); !ok || err != nil {
			b.Fatal(err)
		}
	}
}

package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/storetest"
	"github.com/outcrop-ai/outcrop/llm"
)

// usualRecord is one call as most are: a success with a price.
func usualRecord(n int) account.Record {
	start := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Millisecond)
	ms := start.UnixMilli()
	id := fmt.Sprintf("%08x-%04x-7%03x-9e55-%012x", ms>>16, ms&0xffff, n&0xfff, uint64(n)*0x9e3779b97f4a7c15>>16)
	return account.Record{
		CallID: id, RequestID: "chatcmpl-" + id, Type: "acompletion",
		Entry: uint64(n), Path: "/v1/chat/completions", KeyHash: account.MasterKeyHash,
		Asked: "claude-sonnet", Group: "claude-sonnet", Deployment: "1f0d2b77aa4c119e55", Model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
		Region: "us-east-1", Route: "converse", Usage: llm.Usage{Input: 1000, Output: 500, Total: 1500}, UsageSource: account.UsageAWS,
		Cost: 10_500_000_000, CostKnown: true, PriceKey: "us.anthropic.claude-sonnet-4-5-20250929-v1:0/us-east-1", PriceVersion: "2026-08-01",
		Status: 200, AWSRequestID: "8c1f0d2b-77aa-4c11-9e55-0a1b2c3d4e5f", Start: start, FirstToken: start.Add(time.Millisecond), End: start.Add(time.Second),
		Upstream: time.Second, Own: time.Millisecond,
	}
}

// BenchmarkAppend writes batches; ns/op is the time of one row.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 256, 2048} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, err := Open(context.Background(), filepath.Join(b.TempDir(), fileName))
			if err != nil {
				b.Fatal(err)
			}
			batch := make([]account.Record, 0, size)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; {
				batch = batch[:0]
				for ; n < b.N && len(batch) < size; n++ {
					batch = append(batch, usualRecord(n))
				}
				if err := s.Append(context.Background(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		s, err := Open(context.Background(), filepath.Join(b.TempDir(), fileName))
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScale fills a million rows, once, and measures what is read of them: see docs/spend.md.
func BenchmarkScale(b *testing.B) {
	s, err := Open(context.Background(), filepath.Join(b.TempDir(), fileName))
	if err != nil {
		b.Fatal(err)
	}
	storetest.Scale(b, s)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

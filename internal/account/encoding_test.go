package account

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

// usualRecord is one call as most are: a success with a price.
func usualRecord() Record {
	start := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	return Record{
		CallID: "01984f3a-77aa-4c11-9e55-0a1b2c3d4e5f", RequestID: "chatcmpl-01984f3a-77aa-4c11-9e55-0a1b2c3d4e5f", Type: "acompletion",
		Entry: 1 << 63, Path: "/v1/chat/completions", KeyHash: MasterKeyHash,
		Asked: "claude-sonnet", Group: "claude-sonnet", Deployment: "1f0d2b77aa4c119e55", Model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
		Region: "us-east-1", Route: "converse", Usage: llm.Usage{Input: 1000, Output: 500, Total: 1500}, UsageSource: UsageAWS,
		Cost: 10_500_000_000, CostKnown: true, PriceKey: "us.anthropic.claude-sonnet-4-5-20250929-v1:0/us-east-1", PriceVersion: "2026-08-01",
		Status: 200, AWSRequestID: "8c1f0d2b-77aa-4c11-9e55-0a1b2c3d4e5f", Start: start, FirstToken: start.Add(time.Millisecond), End: start.Add(time.Second),
		Upstream: time.Second, Own: time.Millisecond,
	}
}

// fill gives every field at or below v a value of its own that is not zero.
func fill(t *testing.T, v reflect.Value, n *int64) {
	t.Helper()
	*n++
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(1_700_000_000+*n, *n).UTC()))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n)
	case v.Kind() == reflect.Slice:
		v.SetBytes([]byte(fmt.Sprintf("{%d}", *n)))
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, n)
		fill(t, value, n)
		v.SetMapIndex(key, value)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case v.Kind() == reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.Uint8:
		v.SetUint(uint64(*n%2 + 1))
	case v.CanInt():
		v.SetInt(-*n << 20)
	case v.CanUint():
		v.SetUint(1<<63 + uint64(*n))
	default:
		t.Fatalf("say here how a %s is filled in", v.Type())
	}
}

func fullRecord(t *testing.T) Record {
	t.Helper()
	var r Record
	var n int64
	fill(t, reflect.ValueOf(&r).Elem(), &n)
	return r
}

// TestEveryFieldIsInTheLog fails when a field of Record is missing in [Record.fields]: add a line there.
func TestEveryFieldIsInTheLog(t *testing.T) {
	full := fullRecord(t)
	for _, want := range []Record{full, usualRecord(), {}, {CallID: "bare"}} {
		got, err := decodeRecord(appendRecord(nil, &want))
		if err != nil {
			t.Fatal(err)
		}
		g, w := reflect.ValueOf(got), reflect.ValueOf(want)
		for i := range g.NumField() {
			if !reflect.DeepEqual(g.Field(i).Interface(), w.Field(i).Interface()) {
				t.Errorf("%s: got %v, want %v", g.Type().Field(i).Name, g.Field(i), w.Field(i))
			}
		}
	}
	// Each of them alone: no field leans on another.
	for i := range reflect.TypeFor[Record]().NumField() {
		var one Record
		reflect.ValueOf(&one).Elem().Field(i).Set(reflect.ValueOf(full).Field(i))
		if got, err := decodeRecord(appendRecord(nil, &one)); err != nil || !reflect.DeepEqual(got, one) {
			t.Errorf("%s alone: got %+v, %v", reflect.TypeFor[Record]().Field(i).Name, got, err)
		}
	}
}

var update = flag.Bool("update", false, "write the record of this version to testdata")

// TestALogOfAnEarlierVersionIsRead reads a record as the first version of the log wrote it. The file is never written
// again: if this test fails, a field has got another number or another kind.
func TestALogOfAnEarlierVersionIsRead(t *testing.T) {
	const path = "testdata/record_v1.hex"
	if *update {
		full := usualRecord()
		full.Tags, full.Losses, full.User, full.Tries = []string{"a", "b"}, []llm.Loss{{Path: "seed", Why: "unsupported"}}, "end user", "d0;status=429"
		if err := os.WriteFile(path, []byte(hex.EncodeToString(appendRecord(nil, &full))+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	want := usualRecord()
	want.Tags, want.Losses, want.User, want.Tries = []string{"a", "b"}, []llm.Loss{{Path: "seed", Why: "unsupported"}}, "end user", "d0;status=429"
	if got, err := decodeRecord(data); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

// TestALogOfALaterVersionIsRead: fields that this version does not know are passed over, wherever they stand.
func TestALogOfALaterVersionIsRead(t *testing.T) {
	want := usualRecord()
	data := appendRecord(nil, &want)
	later := fields{writing: true, out: data}
	later.writeText(1000, "something new")
	later.writeNumber(1001, 1<<60)
	if got, err := decodeRecord(later.out); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhatIsNoRecordIsRefused(t *testing.T) {
	f := func(data string) {
		t.Helper()
		if r, err := decodeRecord([]byte(data)); err == nil {
			t.Errorf("%q was read: %+v", data, r)
		}
	}
	f("\x0a")                                     // a field without a length
	f("\x0a\x05ab")                               // a length beyond the end
	f("\x08\x01")                                 // the call's id as a number
	f("\x0d\x01\x02\x03\x04")                     // a kind that there is not
	f("\x00\x01")                                 // field 0
	f("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff") // a number without end
	f("\xd2\x02\x01a")                            // half a loss
}

// FuzzDecodeRecord: whatever is read is written the same way again.
func FuzzDecodeRecord(f *testing.F) {
	usual := usualRecord()
	f.Add(appendRecord(nil, &usual))
	f.Add([]byte("\x0a\x05ab"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRecord(data)
		if err != nil {
			return
		}
		again, err := decodeRecord(appendRecord(nil, &r))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("got %+v, %v\nwant %+v", again, err, r)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	r := usualRecord()
	data := appendRecord(nil, &r)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			data = appendRecord(data[:0], &r)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decodeRecord(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

package account

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

// fields lists what a record has in the log, each with its number: the one place that says how a record is written and
// read. Numbers go up from line to line and are never used again for something else. A field that is new gets the next
// number; one that has gone leaves a gap. A reader passes over numbers that it does not know, and leaves empty what was
// not written, so that a log outlives an upgrade.
func (r *Record) fields(f *fields) {
	f.text(1, &r.CallID)
	f.unsigned(2, &r.Entry)
	f.text(3, &r.RequestID)
	f.text(4, &r.Type)
	f.text(5, &r.Path)
	f.text(6, &r.KeyHash)
	f.text(7, &r.User)
	f.texts(8, &r.Tags)
	f.text(9, &r.Asked)
	f.text(10, &r.Group)
	f.text(11, &r.Deployment)
	f.text(12, &r.Model)
	f.text(13, &r.Region)
	f.text(14, &r.Route)
	f.text(15, &r.Tier)
	f.whole(16, &r.Usage.Input)
	f.whole(17, &r.Usage.Output)
	f.whole(18, &r.Usage.CacheRead)
	f.whole(19, &r.Usage.CacheWrite5m)
	f.whole(20, &r.Usage.CacheWrite1h)
	f.whole(21, &r.Usage.Reasoning)
	f.whole(22, &r.Usage.Images)
	f.whole(23, &r.Usage.Queries)
	f.whole(24, &r.Usage.Made)
	f.whole(25, &r.Usage.Total)
	f.truth(26, &r.Usage.CacheSplit)
	f.truth(27, &r.Usage.Estimated)
	f.small(28, (*uint8)(&r.UsageSource))
	f.whole(29, &r.Cost)
	f.truth(30, &r.CostKnown)
	f.text(31, &r.PriceKey)
	f.text(32, &r.PriceVersion)
	f.integer(33, &r.Status)
	f.text(34, &r.ErrorKind)
	f.text(35, &r.ErrorCode)
	f.text(36, &r.Message)
	f.text(37, &r.AWSException)
	f.text(38, &r.AWSRequestID)
	f.truth(39, &r.Stream)
	f.truth(40, &r.ClientClosed)
	f.text(41, &r.Tries)
	f.losses(42, &r.Losses)
	f.time(43, &r.Start)
	f.time(44, &r.FirstToken)
	f.time(45, &r.End)
	f.whole(46, (*int64)(&r.Upstream))
	f.whole(47, (*int64)(&r.Own))
	f.text(48, &r.KeyAlias)
	f.text(49, &r.UserID)
	f.text(50, &r.TeamID)
	f.text(51, &r.TeamAlias)
	f.text(52, &r.OrganizationID)
	f.text(53, &r.Session)
	f.text(54, &r.IP)
	f.raw(55, (*[]byte)(&r.Metadata))
	f.text(56, &r.CacheKey)
	f.truth(57, &r.CacheHit)
	f.whole(58, (*int64)(&r.Lines.Input))
	f.whole(59, (*int64)(&r.Lines.Output))
	f.whole(60, (*int64)(&r.Lines.CacheRead))
	f.whole(61, (*int64)(&r.Lines.CacheWrite5m))
	f.whole(62, (*int64)(&r.Lines.CacheWrite1h))
	f.whole(63, (*int64)(&r.Lines.Images))
	f.whole(64, (*int64)(&r.Lines.Queries))
	f.whole(65, (*int64)(&r.Lines.Made))
	f.charges(66, &r.Charges)
	f.bodies(67, 68, &r.Body)
	f.whole(69, (*int64)(&r.Usage.VideoIn))
	f.whole(70, (*int64)(&r.Usage.AudioIn))
	f.whole(71, (*int64)(&r.Usage.VideoMade))
	f.whole(72, &r.Usage.Searches)
	f.whole(73, (*int64)(&r.Usage.Time))
	f.truth(74, &r.Usage.Uncounted)
	f.whole(75, (*int64)(&r.Lines.VideoIn))
	f.whole(76, (*int64)(&r.Lines.AudioIn))
	f.whole(77, (*int64)(&r.Lines.VideoMade))
	f.whole(78, (*int64)(&r.Lines.Searches))
	f.whole(79, (*int64)(&r.Lines.Time))
}

// errRecord says that bytes are not a record.
var errRecord = errors.New("not a record")

// appendRecord appends a record as the log has it. A time is kept to the nanosecond, without its place on earth.
func appendRecord(dst []byte, r *Record) []byte {
	f := fields{out: dst, writing: true}
	r.fields(&f)
	return f.out
}

// decodeRecord is the reverse of appendRecord. It copies what it keeps.
func decodeRecord(data []byte) (Record, error) {
	var r Record
	f := fields{in: string(data)}
	f.next()
	r.fields(&f)
	for f.number != 0 && !f.bad { // what a newer version has written behind all that this one knows
		f.next()
	}
	if f.bad {
		return Record{}, errRecord
	}
	return r, nil
}

// fields writes the fields of a record one after the other, or reads them: values that are not zero, each behind its number
// and its kind as in protocol buffers: a whole number as a varint, or a length and bytes.
type fields struct {
	writing bool
	out     []byte

	// in is what is not yet read, behind the field with this number, 0 at the end; value and bytes are what it has.
	in     string
	number uint64
	kind   uint64
	value  uint64
	bytes  string
	bad    bool
}

// The kinds of fields.
const (
	kindNumber = 0
	kindBytes  = 2
)

// next reads the next field.
func (f *fields) next() {
	if f.number = 0; f.in == "" || f.bad {
		return
	}
	key := f.varint()
	f.number, f.kind = key>>3, key&7
	switch f.kind {
	case kindNumber:
		f.value = f.varint()
	case kindBytes:
		n := f.varint()
		if n > uint64(len(f.in)) {
			f.bad = true
			return
		}
		f.bytes, f.in = f.in[:n], f.in[n:]
	default:
		f.bad = true
	}
	f.bad = f.bad || f.number == 0
}

func (f *fields) varint() uint64 {
	var v uint64
	for i := 0; i < len(f.in) && i < binary.MaxVarintLen64; i++ {
		b := f.in[i]
		if b < 0x80 {
			f.in = f.in[i+1:]
			return v | uint64(b)<<(7*i)
		}
		v |= uint64(b&0x7f) << (7 * i)
	}
	f.bad = true
	return 0
}

// found goes on to field n and reports whether it is there as the kind.
func (f *fields) found(n, kind uint64) bool {
	for f.number != 0 && f.number < n && !f.bad {
		f.next()
	}
	if f.bad || f.number != n {
		return false
	}
	f.bad = f.kind != kind
	return !f.bad
}

func (f *fields) writeNumber(n, v uint64) {
	f.out = binary.AppendUvarint(f.out, n<<3|kindNumber)
	f.out = binary.AppendUvarint(f.out, v)
}

func (f *fields) writeText(n uint64, v string) {
	f.out = binary.AppendUvarint(f.out, n<<3|kindBytes)
	f.out = binary.AppendUvarint(f.out, uint64(len(v)))
	f.out = append(f.out, v...)
}

func (f *fields) unsigned(n uint64, v *uint64) {
	switch {
	case !f.writing:
		if f.found(n, kindNumber) {
			*v = f.value
			f.next()
		}
	case *v != 0:
		f.writeNumber(n, *v)
	}
}

// whole writes a number as protocol buffers' sint64: small ones are short, whatever their sign.
func (f *fields) whole(n uint64, v *int64) {
	zigzag := uint64(*v)<<1 ^ uint64(*v>>63) //nolint:gosec // bits, not numbers
	f.unsigned(n, &zigzag)
	*v = int64(zigzag>>1) ^ -int64(zigzag&1)
}

func (f *fields) integer(n uint64, v *int) {
	wide := int64(*v)
	f.whole(n, &wide)
	*v = int(wide)
}

func (f *fields) small(n uint64, v *uint8) {
	wide := uint64(*v)
	f.unsigned(n, &wide)
	f.bad = f.bad || wide > math.MaxUint8
	*v = uint8(wide) //nolint:gosec // checked
}

func (f *fields) truth(n uint64, v *bool) {
	var bit uint64
	if *v {
		bit = 1
	}
	f.unsigned(n, &bit)
	*v = bit != 0
}

func (f *fields) text(n uint64, v *string) {
	switch {
	case !f.writing:
		if f.found(n, kindBytes) {
			*v = f.bytes
			f.next()
		}
	case *v != "":
		f.writeText(n, *v)
	}
}

// texts writes each text of a list as a field of its own, all with one number.
func (f *fields) texts(n uint64, v *[]string) {
	if f.writing {
		for _, text := range *v {
			f.writeText(n, text)
		}
		return
	}
	for f.found(n, kindBytes) {
		*v = append(*v, f.bytes)
		f.next()
	}
}

// losses writes a list of pairs as texts: path, why, path, why.
func (f *fields) losses(n uint64, v *[]llm.Loss) {
	var flat []string
	if f.writing {
		for _, l := range *v {
			flat = append(flat, l.Path, l.Why)
		}
	}
	f.texts(n, &flat)
	if f.writing {
		return
	}
	if f.bad = f.bad || len(flat)%2 != 0; f.bad {
		return
	}
	for i := 0; i < len(flat); i += 2 {
		*v = append(*v, llm.Loss{Path: flat[i], Why: flat[i+1]})
	}
}

// charges writes a list of counters as texts: scope, id, period, scope, id, period.
func (f *fields) charges(n uint64, v *[]Charge) {
	if f.writing {
		for _, c := range *v {
			f.writeText(n, c.Scope)
			f.writeText(n, c.ID)
			f.writeText(n, strconv.FormatInt(c.Period, 10))
		}
		return
	}
	next := func() string {
		text := ""
		f.bad = f.bad || !f.found(n, kindBytes)
		if !f.bad {
			text = f.bytes
			f.next()
		}
		return text
	}
	for f.found(n, kindBytes) {
		c := Charge{Scope: next(), ID: next()}
		period, err := strconv.ParseInt(next(), 10, 64)
		if f.bad = f.bad || err != nil; f.bad {
			return
		}
		c.Period = period
		*v = append(*v, c)
	}
}

// raw writes bytes.
func (f *fields) raw(n uint64, v *[]byte) {
	text := string(*v)
	f.text(n, &text)
	if !f.writing && text != "" {
		*v = []byte(text)
	}
}

// time writes nanoseconds since 1970, in UTC when it is read. The zero time is absent.
func (f *fields) time(n uint64, v *time.Time) {
	var nanos int64
	if !v.IsZero() {
		nanos = v.UnixNano()
	}
	f.whole(n, &nanos)
	if !f.writing && nanos != 0 {
		*v = time.Unix(0, nanos).UTC()
	}
}

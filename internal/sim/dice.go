package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// dice gives the numbers behind ids and padding. They look random and depend on the seed and the request alone, so that
// the same request has the same answer in every run. One dice serves one request and is not shared.
type dice struct{ state uint64 }

func newDice(seed uint64, operation string, parts ...[]byte) *dice {
	h := sha256.New()
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], seed)
	h.Write(n[:])
	h.Write([]byte(operation))
	for _, p := range parts {
		h.Write([]byte{0})
		h.Write(p)
	}
	return &dice{state: binary.BigEndian.Uint64(h.Sum(nil))}
}

// next is SplitMix64.
func (d *dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// word returns n letters and digits.
func (d *dice) word(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[d.next()%uint64(len(alphabet))]
	}
	return string(b)
}

// padding is Bedrock's "p": a prefix of the alphabet of random length.
func (d *dice) padding() string { return alphabet[:1+d.next()%uint64(len(alphabet))] }

// uuid has the form of a version 4 UUID.
func (d *dice) uuid() string {
	a, b := d.next(), d.next()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

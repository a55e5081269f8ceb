package media

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// The elements of a Matroska file that lead to its length.
const (
	elementSegment  = 0x18538067
	elementInfo     = 0x1549A966
	elementScale    = 0x2AD7B1
	elementDuration = 0x4489
)

// matroskaLength reads Duration, in units of TimestampScale nanoseconds, from the file's Info. A file that was recorded as a
// stream has none.
func matroskaLength(data []byte) float64 {
	info := element(element(data, elementSegment), elementInfo)
	scale := 1e6 // unless the file says otherwise
	if raw := element(info, elementScale); raw != nil && len(raw) <= 8 {
		n := uint64(0)
		for _, b := range raw {
			n = n<<8 | uint64(b)
		}
		scale = float64(n)
	}
	switch raw := element(info, elementDuration); len(raw) {
	case 4:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(raw))) * scale / 1e9
	case 8:
		return math.Float64frombits(binary.BigEndian.Uint64(raw)) * scale / 1e9
	default:
		return 0
	}
}

// element returns the body of the first element with an id, nil if there is none.
func element(data []byte, id uint64) []byte {
	for len(data) > 0 {
		found, n := variable(data, false)
		if n == 0 {
			return nil
		}
		data = data[n:]
		size, m := variable(data, true)
		if m == 0 {
			return nil
		}
		data = data[m:]
		if size > uint64(len(data)) { // cut off, or of unknown size, which is to the end
			size = uint64(len(data))
		}
		if found == id {
			return data[:size]
		}
		data = data[size:]
	}
	return nil
}

// variable reads a number whose first bits say how many bytes it has: a size without these bits, an id with them. A size of
// ones is not known, and the largest there is. n is 0 if there is none.
func variable(data []byte, size bool) (v uint64, n int) {
	if len(data) == 0 {
		return 0, 0
	}
	n = bits.LeadingZeros8(data[0]) + 1
	if n > 8 || n > len(data) {
		return 0, 0
	}
	for _, b := range data[:n] {
		v = v<<8 | uint64(b)
	}
	if size {
		rest := uint64(1)<<(7*n) - 1
		if v &= rest; v == rest {
			v = math.MaxUint64
		}
	}
	return v, n
}

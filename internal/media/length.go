package media

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"
)

// Length returns how long a video or a piece of sound plays, as its own headers or frames say, and whether they do: of MP4 and
// its kin (MOV, M4A, 3GP), Matroska and WebM, WAV, FLAC, Ogg (Opus, Vorbis, FLAC, Speex), MP3 and AAC in ADTS. Nothing is
// decoded. What is of another kind, or cut off before it says how long it is, has no length.
func Length(data []byte) (time.Duration, bool) {
	var long float64 // seconds
	switch {
	case len(data) > 12 && string(data[4:8]) == "ftyp", len(data) > 12 && string(data[4:8]) == "moov":
		long = mp4Length(data)
	case bytes.HasPrefix(data, []byte("\x1a\x45\xdf\xa3")):
		long = matroskaLength(data)
	case len(data) > 12 && bytes.HasPrefix(data, []byte("RIFF")) && string(data[8:12]) == "WAVE":
		long = wavLength(data[12:])
	case bytes.HasPrefix(data, []byte("fLaC")):
		long = flacLength(data[4:])
	case bytes.HasPrefix(data, []byte("OggS")):
		long = oggLength(data)
	default:
		long = framesLength(data)
	}
	if !(long > 0 && long <= mostSeconds) {
		return 0, false
	}
	d := time.Duration(math.Round(long * float64(time.Second)))
	return d, d > 0
}

// mostSeconds bounds what is believed: a month.
const mostSeconds = 31 * 24 * 3600

// boxes calls yield with the boxes of an MP4 file, one inside of the other, until it returns false. A box that goes over the
// end is cut off there.
func boxes(data []byte, yield func(kind string, body []byte) bool) {
	for len(data) >= 8 {
		size, head := uint64(binary.BigEndian.Uint32(data)), uint64(8)
		switch {
		case size == 1 && len(data) >= 16:
			size, head = binary.BigEndian.Uint64(data[8:]), 16
		case size == 0: // to the end of the file
			size = uint64(len(data))
		}
		if size < head {
			return
		}
		end := min(size, uint64(len(data)))
		if end < head || !yield(string(data[4:8]), data[head:end]) {
			return
		}
		data = data[end:]
	}
}

// box returns the body of the box at a path, nil if there is none.
func box(data []byte, path ...string) []byte {
	for _, want := range path {
		var found []byte
		boxes(data, func(kind string, body []byte) bool {
			if kind == want {
				found = body
			}
			return found == nil
		})
		if data = found; data == nil {
			return nil
		}
	}
	return data
}

// mp4Length reads the length of the film from its header, or, of one in fragments, from the header of these.
func mp4Length(data []byte) float64 {
	moov := box(data, "moov")
	scale, units := versioned(box(moov, "mvhd"), true)
	if units == 0 {
		_, units = versioned(box(moov, "mvex", "mehd"), false)
	}
	if scale == 0 {
		return 0
	}
	return float64(units) / float64(scale)
}

// versioned reads a box with a length in it: two times, a scale and the length (mvhd), or the length alone (mehd), each of 32
// or 64 bits as the version says. A length of ones is not known.
func versioned(b []byte, header bool) (scale uint32, units uint64) {
	if len(b) < 8 {
		return 0, 0
	}
	wide := b[0] == 1
	b = b[4:]
	if header {
		times := 8
		if wide {
			times = 16
		}
		if len(b) < times+8 {
			return 0, 0
		}
		scale, b = binary.BigEndian.Uint32(b[times:]), b[times+4:]
	}
	switch {
	case wide && len(b) >= 8:
		if units = binary.BigEndian.Uint64(b); units == math.MaxUint64 {
			units = 0
		}
	case !wide && len(b) >= 4:
		if units = uint64(binary.BigEndian.Uint32(b)); units == math.MaxUint32 {
			units = 0
		}
	}
	return scale, units
}

// wavLength divides the bytes of sound by those of a second.
func wavLength(data []byte) float64 {
	var perSecond uint32
	for len(data) >= 8 {
		kind, size := string(data[:4]), uint64(binary.LittleEndian.Uint32(data[4:]))
		data = data[8:]
		if size > uint64(len(data)) { // of a stream, whose writer did not know how long it would be
			size = uint64(len(data))
		}
		switch {
		case kind == "fmt " && size >= 16:
			perSecond = binary.LittleEndian.Uint32(data[8:])
		case kind == "data" && perSecond > 0:
			return float64(size) / float64(perSecond)
		}
		data = data[min(size+size%2, uint64(len(data))):]
	}
	return 0
}

// flacLength reads the first block, which says rate and number of samples.
func flacLength(data []byte) float64 {
	const head, info = 4, 34
	if len(data) < head+info || data[0]&0x7f != 0 {
		return 0
	}
	packed := binary.BigEndian.Uint64(data[head+10:]) // rate 20, channels 3, depth 5, samples 36 bits
	rate, samples := packed>>44, packed&(1<<36-1)
	if rate == 0 {
		return 0
	}
	return float64(samples) / float64(rate)
}

// oggLength reads the rate from the first page and the place of the last.
func oggLength(data []byte) float64 {
	const header = 27
	if len(data) < header || len(data) < header+int(data[26]) {
		return 0
	}
	first := data[header+int(data[26]):]
	var rate, skip uint64
	switch {
	case bytes.HasPrefix(first, []byte("OpusHead")) && len(first) >= 12:
		rate, skip = 48_000, uint64(binary.LittleEndian.Uint16(first[10:]))
	case bytes.HasPrefix(first, []byte("\x01vorbis")) && len(first) >= 16:
		rate = uint64(binary.LittleEndian.Uint32(first[12:]))
	case bytes.HasPrefix(first, []byte("Speex   ")) && len(first) >= 40:
		rate = uint64(binary.LittleEndian.Uint32(first[36:]))
	case bytes.HasPrefix(first, []byte("\x7fFLAC")) && len(first) >= 35:
		rate = binary.BigEndian.Uint64(first[27:]) >> 44
	}
	last := bytes.LastIndex(data, []byte("OggS"))
	if rate == 0 || len(data) < last+14 {
		return 0
	}
	place := binary.LittleEndian.Uint64(data[last+6:])
	if place == math.MaxUint64 || place < skip {
		return 0
	}
	return float64(place-skip) / float64(rate)
}

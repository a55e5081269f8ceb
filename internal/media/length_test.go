package media

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"testing"
	"time"
)

// mp4Box is a box with the bodies in it.
func mp4Box(kind string, bodies ...[]byte) []byte {
	body := bytes.Join(bodies, nil)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), kind...), body...)
}

func bigEndian(values ...any) []byte {
	var b bytes.Buffer
	for _, v := range values {
		_ = binary.Write(&b, binary.BigEndian, v)
	}
	return b.Bytes()
}

func littleEndian(values ...any) []byte {
	var b bytes.Buffer
	for _, v := range values {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	return b.Bytes()
}

var ftyp = mp4Box("ftyp", []byte("isom\x00\x00\x02\x00"))

// mp4 is a film of so many units, a second being scale of them.
func mp4(scale, units uint32) []byte {
	return bytes.Join([][]byte{ftyp, mp4Box("mdat", make([]byte, 100)), mp4Box("moov", mp4Box("mvhd", bigEndian(uint32(0), uint32(1), uint32(1), scale, units), make([]byte, 80)))}, nil)
}

// wav is sound of so many bytes, a second being perSecond of them.
func wav(perSecond uint32, size int, said uint32) []byte {
	format := littleEndian(uint16(1), uint16(1), perSecond/2, perSecond, uint16(2), uint16(16))
	return bytes.Join([][]byte{
		[]byte("RIFF\x00\x00\x00\x00WAVE"), []byte("LIST"), littleEndian(uint32(3)), []byte("abc\x00"),
		[]byte("fmt "), littleEndian(uint32(len(format))), format, []byte("data"), littleEndian(said), make([]byte, size),
	}, nil)
}

func flac(rate, samples uint64) []byte {
	return bytes.Join([][]byte{[]byte("fLaC\x80\x00\x00\x22"), make([]byte, 10), bigEndian(rate<<44 | 1<<41 | 15<<36 | samples), make([]byte, 16)}, nil)
}

func ogg(first []byte, place uint64) []byte {
	page := func(place uint64, body []byte) []byte {
		head := append([]byte("OggS\x00\x00"), littleEndian(place, uint32(1), uint32(0), uint32(0), uint8(1), uint8(len(body)))...)
		return append(head, body...)
	}
	return append(page(0, first), page(place, []byte("sound"))...)
}

// matroska is a file whose segment is of unknown size, as of a live recording, or known.
func matroska(info []byte, known bool) []byte {
	size := []byte{0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	body := append(append([]byte{0x15, 0x49, 0xA9, 0x66, 0x80 | byte(len(info))}, info...), 0x1F, 0x43, 0xB6, 0x75, 0x80)
	if known {
		size = []byte{0x40, byte(len(body))}
	}
	return bytes.Join([][]byte{{0x1a, 0x45, 0xdf, 0xa3, 0x84, 0x42, 0x86, 0x81, 1}, {0x18, 0x53, 0x80, 0x67}, size, body}, nil)
}

// mp3 is so many frames of layer III: MPEG 1, 128 kbit/s, 44.1 kHz, without padding.
func mp3(frames int) []byte {
	frame := append([]byte{0xff, 0xfb, 0x90, 0x00}, make([]byte, 413)...)
	return bytes.Repeat(frame, frames)
}

func TestLength(t *testing.T) {
	f := func(what string, data []byte, want time.Duration) {
		t.Helper()
		if got, known := Length(data); got != want || known != (want > 0) {
			t.Errorf("%s: got %v, %t, want %v", what, got, known, want)
		}
	}
	f("mp4", mp4(1000, 12_345), 12_345*time.Millisecond)
	f("mp4 whose header comes first", append(bytes.Clone(ftyp), mp4Box("moov", mp4Box("mvhd", bigEndian(uint32(1)<<24, uint64(1), uint64(1), uint32(600), uint64(1500)), make([]byte, 80)))...), 2500*time.Millisecond)
	f("mp4 in fragments", append(bytes.Clone(ftyp), mp4Box("moov", mp4Box("mvhd", bigEndian(uint32(0), uint32(1), uint32(1), uint32(90_000), uint32(0)), make([]byte, 80)),
		mp4Box("mvex", mp4Box("mehd", bigEndian(uint32(0), uint32(270_000)))))...), 3*time.Second)
	f("mp4 that is not done", append(bytes.Clone(ftyp), mp4Box("moov", mp4Box("mvhd", bigEndian(uint32(0), uint32(1), uint32(1), uint32(90_000), uint32(math.MaxUint32)), make([]byte, 80)))...), 0)
	f("mp4 that is cut off", mp4(1000, 12_345)[:100], 0)
	f("mp4 without a scale", mp4(0, 5), 0)
	f("wav", wav(32_000, 48_000, 48_000), 1500*time.Millisecond)
	f("wav of a stream", wav(32_000, 64_000, math.MaxUint32), 2*time.Second)
	f("wav without a rate", wav(0, 48_000, 48_000), 0)
	f("flac", flac(44_100, 441_000), 10*time.Second)
	f("flac of nobody knows how many samples", flac(44_100, 0), 0)
	f("opus", ogg(append([]byte("OpusHead\x01\x02"), littleEndian(uint16(312), uint32(48_000), uint16(0), uint8(0))...), 48_000*7+312), 7*time.Second)
	f("vorbis", ogg(append([]byte("\x01vorbis"), littleEndian(uint32(0), uint8(2), uint32(44_100), uint32(0))...), 88_200), 2*time.Second)
	f("speex", ogg(append([]byte("Speex   "), append(make([]byte, 28), littleEndian(uint32(16_000))...)...), 8_000), 500*time.Millisecond)
	f("flac in ogg", ogg(append([]byte("\x7fFLAC\x01\x00\x00\x01"), flac(48_000, 0)...), 24_000), 500*time.Millisecond)
	f("ogg of something else", ogg([]byte("theora"), 88_200), 0)
	duration := append([]byte{0x44, 0x89, 0x88}, bigEndian(math.Float64bits(4250))...)
	f("matroska", matroska(duration, true), 4250*time.Millisecond)
	f("webm of a stream", matroska(duration, false), 4250*time.Millisecond)
	f("webm with a scale", matroska(append([]byte{0x2A, 0xD7, 0xB1, 0x83, 0x98, 0x96, 0x80}, append([]byte{0x44, 0x89, 0x84}, bigEndian(math.Float32bits(300))...)...), true), 3*time.Second)
	f("webm that does not say", matroska([]byte{0x4D, 0x80, 0x81, 'x'}, true), 0)
	// 100 frames of 1152 samples at 44.1 kHz.
	f("mp3", mp3(100), 2_612_244_898)
	f("mp3 with a title", append([]byte("ID3\x03\x00\x00\x00\x00\x01\x05"), append(make([]byte, 128+5), mp3(100)...)...), 2_612_244_898)
	info := mp3(1)
	copy(info[36:], "Xing")
	f("mp3 with a variable rate", append(info, mp3(100)...), 2_612_244_898)
	f("mp3 with an old title at its end", append(mp3(100), append([]byte("TAG"), make([]byte, 125)...)...), 2_612_244_898)
	f("one frame of mp3, which anything may look like", mp3(1), 0)
	// MPEG 2, layer III, 64 kbit/s, 22.05 kHz: 576 samples in 208 bytes.
	f("mp3 of an older kind", bytes.Repeat(append([]byte{0xff, 0xf3, 0x80, 0x00}, make([]byte, 204)...), 50), 1_306_122_449)
	// ADTS, 44.1 kHz, 1024 samples in 100 bytes.
	f("aac", bytes.Repeat(append([]byte{0xff, 0xf1, 0x50, 0x80, 0x0c, 0x9f, 0xfc}, make([]byte, 93)...), 100), 2_321_995_465)
	for _, other := range []string{"", "x", "not a film", "\xff\xff\xff\xff\xff\xff\xff\xff\xff", "OggS", "RIFF1234WAVE", "fLaC", "\x1a\x45\xdf\xa3", "\x00\x00\x00\x20ftypisom", "%PDF-1.4"} {
		f(other, []byte(other), 0)
	}
}

// FuzzLength reads what anybody may send.
func FuzzLength(f *testing.F) {
	for _, seed := range [][]byte{mp4(1000, 5000), wav(8000, 100, 100), flac(8000, 1), ogg([]byte("OpusHead\x01\x02\x00\x00"), 99), matroska([]byte{0x44, 0x89, 0x84, 1, 2, 3, 4}, true), mp3(3)} {
		f.Add(seed)
	}
	if seed, err := hex.DecodeString("000000016d6f6f760000000000000010"); err == nil {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if long, known := Length(data); known != (long > 0) || long > 32*24*time.Hour {
			t.Errorf("%v, %t", long, known)
		}
	})
}

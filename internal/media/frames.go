package media

import "bytes"

// framesLength adds up the frames of MP3 or AAC (ADTS), which is what a file without a header is made of. They must follow
// each other: what else begins like one is none of them.
func framesLength(data []byte) float64 {
	data = withoutID3(data)
	long, frames := 0.0, 0
	for len(data) >= 7 {
		size, seconds := frame(data)
		if size == 0 {
			break
		}
		if size > len(data) { // cut off
			size = len(data)
		}
		if frames > 0 || !isInfo(data[:size]) { // the first frame of a file with a variable rate is no sound
			long += seconds
		}
		frames++
		data = data[size:]
	}
	const few = 2
	if frames < few {
		return 0
	}
	return long
}

// withoutID3 leaves out a title's tag at the beginning.
func withoutID3(data []byte) []byte {
	const head = 10
	for len(data) > head && bytes.HasPrefix(data, []byte("ID3")) {
		size := head + int(data[6]&0x7f)<<21 + int(data[7]&0x7f)<<14 + int(data[8]&0x7f)<<7 + int(data[9]&0x7f)
		data = data[min(size, len(data)):]
	}
	return data
}

// isInfo reports whether a frame of MP3 holds facts about the file in the place of sound.
func isInfo(frame []byte) bool {
	head := frame[:min(len(frame), 64)]
	return bytes.Contains(head, []byte("Xing")) || bytes.Contains(head, []byte("Info")) || bytes.Contains(head, []byte("VBRI"))
}

// frame returns the size and the length of the frame at the beginning; a size of 0 says that there is none.
func frame(data []byte) (size int, seconds float64) {
	if data[0] != 0xff || data[1]&0xe0 != 0xe0 {
		return 0, 0
	}
	if data[1]&0xf6 == 0xf0 { // a layer that MP3 does not have: ADTS
		return adtsFrame(data)
	}
	return mpegFrame(data)
}

func adtsFrame(data []byte) (size int, seconds float64) {
	rates := [...]float64{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
	index := int(data[2] >> 2 & 15)
	size = int(data[3]&3)<<11 | int(data[4])<<3 | int(data[5])>>5
	if index >= len(rates) || size < 7 {
		return 0, 0
	}
	const samples = 1024
	return size, float64(samples*(int(data[6]&3)+1)) / rates[index] //nolint:gosec // checked above
}

// mpegFrame reads a frame of layer I, II or III.
func mpegFrame(data []byte) (size int, seconds float64) {
	version, layer := data[1]>>3&3, 4-data[1]>>1&3 // version 3 is MPEG 1, 2 MPEG 2, 0 MPEG 2.5
	bit, rateIndex, padding := int(data[2]>>4), int(data[2]>>2&3), int(data[2]>>1&1)
	if version == 1 || layer == 4 || bit == 0 || bit == 15 || rateIndex == 3 {
		return 0, 0
	}
	rate := [...]int{44100, 48000, 32000}[rateIndex]
	old := version == 3
	switch version {
	case 2:
		rate /= 2
	case 0:
		rate /= 4
	}
	kilobits := [...][15]int{
		{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448}, // MPEG 1, layer I
		{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},    // layer II
		{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},     // layer III
		{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},    // MPEG 2 and 2.5, layer I
		{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},         // layers II and III
	}
	table := int(layer) - 1
	if !old {
		table = 3 + min(table, 1)
	}
	bits := kilobits[table][bit] * 1000
	samples := 1152
	switch {
	case layer == 1:
		samples = 384
		return (12*bits/rate + padding) * 4, float64(samples) / float64(rate)
	case layer == 3 && !old:
		samples = 576
	}
	return samples/8*bits/rate + padding, float64(samples) / float64(rate)
}

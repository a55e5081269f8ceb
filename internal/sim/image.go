package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// painter is the language of some image models behind InvokeModel.
type painter struct {
	// ids are parts of the ids of its models.
	ids   []string
	shape *shape
	// answer paints what a checked body asks for.
	answer func(p *painting) (object, *apiError)
}

// painting is one call of an image model.
type painting struct {
	model string
	body  map[string]any
}

// painterOf returns nil for models that make no images.
func painterOf(model string) *painter {
	for i := range painters() {
		for _, part := range painters()[i].ids {
			if strings.Contains(model, part) {
				return &painters()[i]
			}
		}
	}
	return nil
}

var painters = sync.OnceValue(func() []painter {
	return append(append(stabilityServices(), stabilityPainters()...), amazonPainters()...)
})

// servePainting answers an InvokeModel call of an image model.
func (s *Server) servePainting(w http.ResponseWriter, r *http.Request, c *call, model *painter, fault *Fault) {
	p := &painting{model: c.model}
	if refused := checked(c.body, model.shape, &p.body); refused != nil {
		writeError(w, refused)
		return
	}
	if _, refused := guardrailFromHeaders(r.Header); refused != nil {
		writeError(w, refused)
		return
	}
	out, refused := model.answer(p)
	if refused != nil {
		writeError(w, refused)
		return
	}
	if !pause(r.Context(), s.options.Latency) {
		return
	}
	w.Header().Set("X-Amzn-Bedrock-Invocation-Latency", strconv.FormatInt(s.options.Latency.Milliseconds(), 10))
	s.deliverBody(w, r, fault, mustJSON(out))
}

func (p *painting) text(path string) string {
	text, _ := member1(p.body, path).(string)
	return text
}

func (p *painting) number(path string, usual int) int {
	if n, ok := member1(p.body, path).(float64); ok {
		return int(n)
	}
	return usual
}

// The words in a prompt that have a model refuse it, or fail.
const (
	wordFiltered = "[filter:"
	wordError    = "[error]"
)

// filtered is how many of n images are refused: [filter:all] and [filter:2] in the prompt say so.
func filtered(prompt string, n int) int {
	_, rest, ok := strings.Cut(prompt, wordFiltered)
	if !ok {
		return 0
	}
	word, _, _ := strings.Cut(rest, "]")
	if k, err := strconv.Atoi(word); err == nil {
		return min(max(k, 0), n)
	}
	return n
}

// maxPainted bounds the sides of what is painted, in pixels: larger images are painted at this size.
const maxPainted = 4096

// paint returns an image in base64: stripes whose colours follow from what was asked. The same words have the same image.
func paint(width, height int, format string, asked ...string) string {
	width, height = min(max(width, 1), maxPainted), min(max(height, 1), maxPainted)
	sum := sha256.Sum256([]byte(strings.Join(asked, "\x00")))
	palette := make(color.Palette, 8)
	for i := range palette {
		palette[i] = color.RGBA{R: sum[3*i], G: sum[3*i+1], B: sum[3*i+2], A: 255}
	}
	picture := image.NewPaletted(image.Rect(0, 0, width, height), palette)
	for y := range height {
		row := picture.Pix[y*picture.Stride : y*picture.Stride+width]
		for x := range row {
			row[x] = byte((x*4/width + y*4/height) % len(palette)) //nolint:gosec // one of eight
		}
	}
	var out bytes.Buffer
	switch format {
	case "jpeg":
		_ = jpeg.Encode(&out, picture, nil) // a buffer takes everything
	case "webp":
		return tinyWebP
	default:
		_ = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, picture) // as above
	}
	return base64.StdEncoding.EncodeToString(out.Bytes())
}

// tinyWebP is an image of one pixel: Go's library writes no WebP.
const tinyWebP = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="

// picture reads an image that was sent, nil if it cannot be read. A WebP has no size here.
func picture(text string) (size image.Point, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return image.Point{}, false
	}
	if len(raw) >= 12 && string(raw[:4]) == "RIFF" && string(raw[8:12]) == "WEBP" {
		return image.Point{}, true
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(raw))
	return image.Pt(config.Width, config.Height), err == nil
}

// seedOf is the seed that was asked for, or one that follows from the prompt.
func (p *painting) seedOf(path string) int {
	sum := sha256.Sum256([]byte(p.text("prompt") + p.model))
	return p.number(path, int(binary.BigEndian.Uint32(sum[:])))
}

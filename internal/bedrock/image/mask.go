package image

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"

	"github.com/outcrop-ai/outcrop/llm"
)

// maxPixels bounds a mask that is converted. No model takes an image as large.
const maxPixels = 25_000_000

// convert makes a mask of OpenAI's kind, in which transparent means "change here", one in black and white: what changes is
// white or black, the rest the other. It returns nil for images without transparency, which are masks in black and white
// already, or none. Only PNG has transparency that Go's library reads.
func convert(p *llm.Picture, changeIsWhite bool) ([]byte, *llm.Error) {
	if p.Format != "png" {
		return nil, nil
	}
	raw, err := base64.StdEncoding.AppendDecode(nil, p.Base64)
	if err != nil {
		return nil, llm.Invalid(p.Path, p.Path+" is not base64")
	}
	size, err := png.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return nil, llm.Invalid(p.Path, p.Path+" is not a PNG that can be read")
	}
	if size.Width*size.Height > maxPixels {
		return nil, llm.Invalid(p.Path, p.Path+" has more than 25 million pixels")
	}
	picture, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, llm.Invalid(p.Path, p.Path+" is not a PNG that can be read")
	}
	if whole, ok := picture.(interface{ Opaque() bool }); ok && whole.Opaque() {
		return nil, nil
	}
	change, keep := byte(0), byte(255)
	if changeIsWhite {
		change, keep = keep, change
	}
	bounds := picture.Bounds()
	mask := image.NewGray(image.Rect(0, 0, bounds.Dx(), bounds.Dy()))
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			value := keep
			if _, _, _, alpha := picture.At(bounds.Min.X+x, bounds.Min.Y+y).RGBA(); alpha < 0x8000 {
				value = change
			}
			mask.SetGray(x, y, color.Gray{Y: value})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, mask); err != nil {
		return nil, &llm.Error{Kind: llm.KindInternal, Message: "internal error", Cause: err}
	}
	return base64.StdEncoding.AppendEncode(nil, out.Bytes()), nil
}

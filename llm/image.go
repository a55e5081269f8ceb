package llm

import (
	"encoding/json"
	"strconv"
	"strings"
)

// ImageTask is what is to be done with images.
type ImageTask uint8

// The tasks, by OpenAI's endpoints.
const (
	// ImageGenerate makes images from a text, ImageEdit changes those that were sent, ImageVary makes others like them.
	ImageGenerate ImageTask = iota
	ImageEdit
	ImageVary
)

// Image is what an image model is asked. How many images are wanted is the request's N; the model's own parameters are in
// its Extra.
type Image struct {
	Task   ImageTask
	Prompt Text
	// Width and Height are the wanted size in pixels; 0 leaves it to the model.
	Width, Height int
	// Quality, Style and Format (png, jpeg, webp) are OpenAI's quality, style and output_format; empty means unsaid.
	Quality, Style, Format string
	// URL asks for images as URLs. Nothing is hosted: they are data URLs.
	URL bool
	// Sources are the images that were sent, Mask says which part of the first is to change.
	Sources []Picture
	Mask    *Picture
	// Defaults are the parameters that the deployment's configuration names. They are kept apart from the client's, since
	// objects are merged member by member.
	Defaults []Field
}

// Picture is an image that a client sent.
type Picture struct {
	// Base64 is its content in standard base64, Format its kind: png, jpeg or webp.
	Base64 []byte
	Format string
	// Path is the field that it came in, for errors.
	Path string
}

// Images are what an image model made, in its order.
type Images struct {
	List []MadeImage
	// Width and Height are the size that was asked for, where the model has exact sizes; 0 elsewhere.
	Width, Height int
	// Filtered is how many more were refused for their content; Reason is what the model said of them.
	Filtered int
	Reason   string
	// Fields are further members of the model's answer.
	Fields []Field
	Usage  Usage
}

// MadeImage is one image.
type MadeImage struct {
	// Base64 is its content as AWS spelled it inside a JSON string. It aliases AWS's answer: images are large.
	Base64 []byte
	// Seed is the seed that it was made with, nil where the model does not say.
	Seed json.RawMessage
}

// maxSide bounds a side of an image, in pixels: no model makes larger ones.
const maxSide = 10_000

// ParseSize reads a size, "1024x768" in pixels; "auto" is 0x0.
func ParseSize(size string) (width, height int, ok bool) {
	if size == "auto" {
		return 0, 0, true
	}
	w, h, _ := strings.Cut(size, "x")
	width, err := strconv.Atoi(w)
	if err == nil {
		height, err = strconv.Atoi(h)
	}
	ok = err == nil && width > 0 && height > 0 && width <= maxSide && height <= maxSide && strings.Trim(size, "0123456789x") == ""
	return width, height, ok
}

package outcrop

import (
	"cmp"
	"context"
	"encoding/base64"
	"strconv"

	"github.com/outcrop-ai/outcrop/llm"
)

// GenerateImage makes images from a text.
func (c *Client) GenerateImage(ctx context.Context, r llm.ImageRequest) (*llm.ImageResponse, error) {
	return c.images(ctx, "GenerateImage", "aimage_generation", llm.ImageGenerate, &r)
}

// EditImage changes images by a text, where there is a mask the part of the first that it says.
func (c *Client) EditImage(ctx context.Context, r llm.ImageRequest) (*llm.ImageResponse, error) {
	return c.images(ctx, "EditImage", "aimage_edit", llm.ImageEdit, &r)
}

// VaryImage makes images that are like others.
func (c *Client) VaryImage(ctx context.Context, r llm.ImageRequest) (*llm.ImageResponse, error) {
	return c.images(ctx, "VaryImage", "aimage_variation", llm.ImageVary, &r)
}

func (c *Client) images(ctx context.Context, verb, kind string, task llm.ImageTask, r *llm.ImageRequest) (*llm.ImageResponse, error) {
	k, err := c.ready(ctx)
	if err != nil {
		return nil, err
	}
	asked := llm.Request{Model: cmp.Or(r.Model, k.imageModel), N: r.N, Extra: r.Extra, Params: r.Params, Guardrail: r.Guardrail, User: r.User, Tags: r.Tags, Options: r.Options}
	call, failed := k.plainCall(verb, kind, &asked, func(own *llm.Request) (failed *llm.Error) {
		own.Image, failed = drawing(task, r)
		return failed
	})
	var made *llm.Images
	if failed == nil {
		made, failed = k.engine.Images(ctx, call)
	}
	var out *llm.ImageResponse
	if failed == nil {
		out, failed = pictures(made)
	}
	k.settle(ctx, call, failed)
	if failed != nil {
		return nil, failed
	}
	out.Usage, out.Served = made.Usage, served(call)
	return out, nil
}

// maxImages is how many images one request may ask for.
const maxImages = 10

// drawing returns what the model is asked.
func drawing(task llm.ImageTask, r *llm.ImageRequest) (*llm.Image, *llm.Error) {
	a := &llm.Image{Task: task, Prompt: llm.NewText(r.Prompt), Quality: r.Quality, Style: r.Style, Format: r.Format}
	if r.N < 0 || r.N > maxImages {
		return nil, llm.Invalid("n", "n must be between 1 and "+strconv.Itoa(maxImages))
	}
	if r.Size != "" {
		var ok bool
		if a.Width, a.Height, ok = llm.ParseSize(r.Size); !ok {
			return nil, llm.Invalid("size", "size must be auto or a width and a height in pixels, such as 1024x1024")
		}
	}
	for i, data := range r.Images {
		p, failed := picture("images["+strconv.Itoa(i)+"]", data)
		if failed != nil {
			return nil, failed
		}
		a.Sources = append(a.Sources, p)
	}
	if r.Mask != nil {
		mask, failed := picture("mask", r.Mask)
		if failed != nil {
			return nil, failed
		}
		a.Mask = &mask
	}
	if task != llm.ImageGenerate && len(a.Sources) == 0 && len(r.Extra) == 0 { // a model's own parameters may bring one
		return nil, missing("images")
	}
	return a, nil
}

// pictures decodes the images.
func pictures(made *llm.Images) (*llm.ImageResponse, *llm.Error) {
	out := &llm.ImageResponse{Filtered: made.Filtered, Reason: made.Reason, Extra: made.Fields}
	for _, image := range made.List {
		data, err := base64.StdEncoding.AppendDecode(nil, image.Base64)
		if err != nil {
			return nil, &llm.Error{Kind: llm.KindUpstream, Message: "an image of AWS's cannot be read", Cause: err}
		}
		out.Images = append(out.Images, llm.GeneratedImage{Data: data, Type: imageType(data), Seed: image.Seed})
	}
	return out, nil
}

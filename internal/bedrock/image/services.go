package image

import (
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/llm"
)

// stabilityEdit are Stability's services that change images, each for one thing.
var stabilityEdit = family{
	name: "stability-edit", encode: encodeService, decode: decodeStability,
	knows: []string{
		"-inpaint", "erase-object", "outpaint", "search-replace", "search-recolor", "remove-background", "control-sketch", "control-structure", "style-guide",
		"style-transfer", "-upscale",
	},
}

// service is one of them.
type service struct {
	// id is a part of its model's id.
	id string
	// prompt says whether it takes one, needs what else must be there.
	prompt promptUse
	needs  []string
	// mask and ratio: it takes a mask, or a shape.
	mask, ratio bool
}

type promptUse uint8

const (
	promptNone promptUse = iota
	promptMay
	promptMust
)

// services are told by the first that fits. Source: the user guide's page of Stability AI Image Services.
var services = [...]service{
	{id: "erase-object", mask: true},
	{id: "outpaint", prompt: promptMay},
	{id: "inpaint", prompt: promptMust, mask: true},
	{id: "search-replace", prompt: promptMust, needs: []string{"search_prompt"}},
	{id: "search-recolor", prompt: promptMust, needs: []string{"select_prompt"}},
	{id: "remove-background"},
	{id: "control-sketch", prompt: promptMust},
	{id: "control-structure", prompt: promptMust},
	{id: "style-guide", prompt: promptMust, ratio: true},
	{id: "style-transfer", prompt: promptMay},
	{id: "fast-upscale"},
	{id: "upscale", prompt: promptMust},
}

func (e *encoder) service() *service {
	for i := range services {
		if strings.Contains(e.id, services[i].id) {
			return &services[i]
		}
	}
	return &service{prompt: promptMay, mask: true, ratio: true} // a later one: AWS judges
}

func encodeService(e *encoder) {
	s := e.service()
	e.plainWish("png", "jpeg", "webp")
	fields := e.own
	fields.fillAll(e.base)
	var body object
	e.sources(s, &body, fields)
	switch {
	case e.asked.Prompt.IsEmpty():
		if s.prompt == promptMust && fields.get("prompt") == nil {
			e.missing("prompt", "")
		}
	case s.prompt == promptNone: // OpenAI's clients cannot leave it out
		e.req.Lose("prompt", "ignored")
	default:
		body.set("prompt", e.asked.Prompt.AppendJSON(nil))
	}
	for _, name := range s.needs {
		if fields.get(name) == nil {
			e.missing(name, e.ref.ID+" needs it")
		}
	}
	if s.id == "outpaint" && fields.get("left") == nil && fields.get("right") == nil && fields.get("up") == nil && fields.get("down") == nil {
		e.refuse("left", "one of left, right, up and down is missing: "+e.ref.ID+" needs to know where to paint")
	}
	w := e.said.or(e.usual)
	switch {
	case w.width == 0 || fields.get("aspect_ratio") != nil:
	case s.ratio:
		body.text("aspect_ratio", aspectRatio(w.width, w.height))
	default:
		e.unsupported("size", strconv.Itoa(w.width)+"x"+strconv.Itoa(w.height))
	}
	body.fillAll(fields)
	if w.format == "" {
		w.format = "png"
	}
	body.text("output_format", w.format)
	e.repeat(body)
}

// sources puts the images where the service wants them.
func (e *encoder) sources(s *service, body *object, fields object) {
	if e.asked.Mask != nil && !s.mask {
		e.unsupported("mask", string(e.asked.Mask.Base64))
	}
	if s.id == "style-transfer" {
		for i := range e.asked.Sources {
			switch i {
			case 0:
				body.picture("init_image", &e.asked.Sources[0])
			case 1:
				body.picture("style_image", &e.asked.Sources[1])
			default:
				e.refuse(e.asked.Sources[i].Path, e.ref.ID+" takes two images")
			}
		}
		for _, name := range []string{"init_image", "style_image"} {
			if body.get(name) == nil && fields.get(name) == nil {
				param := name
				if name == "init_image" {
					param = "image"
				}
				e.missing(param, e.ref.ID+" needs it")
			}
		}
		return
	}
	picture := e.one()
	if picture == nil && fields.get("image") == nil {
		e.missing("image", e.ref.ID+" edits images")
	}
	body.picture("image", picture)
	if !s.mask || fields.get("mask") != nil {
		return
	}
	if mask := e.mask(true); mask != nil {
		body.set("mask", quoted(mask))
	} else if picture != nil {
		if own := e.transparency(picture, true); own != nil {
			body.set("mask", quoted(own))
		}
	}
}

// mask returns the mask that was sent, as the family wants it: see [convert]. It is nil if there is none.
func (e *encoder) mask(changeIsWhite bool) []byte {
	m := e.asked.Mask
	if m == nil {
		return nil
	}
	if own := e.transparency(m, changeIsWhite); own != nil {
		return own
	}
	return m.Base64
}

// transparency makes a mask of what is transparent in an image, nil if nothing is.
func (e *encoder) transparency(p *llm.Picture, changeIsWhite bool) []byte {
	mask, err := convert(p, changeIsWhite)
	if err != nil {
		e.fail(err)
	}
	return mask
}

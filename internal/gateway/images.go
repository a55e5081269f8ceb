package gateway

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/llm"
)

func (s *Server) imageGenerations(x *exchange) { s.images(x, llm.ImageGenerate) }
func (s *Server) imageEdits(x *exchange)       { s.images(x, llm.ImageEdit) }
func (s *Server) imageVariations(x *exchange)  { s.images(x, llm.ImageVary) }

// maxForm is how much of a form is read, in bytes: AWS takes 25 MB of JSON, in which three bytes of an image are four, and a
// form has a little around its files.
const maxForm = 25_000_000/4*3 + 64<<10

// images serves one request for images.
func (s *Server) images(x *exchange, task llm.ImageTask) {
	x.call.Type = map[llm.ImageTask]string{llm.ImageGenerate: "aimage_generation", llm.ImageEdit: "aimage_edit", llm.ImageVary: "aimage_variation"}[task]
	decode, limit := openai.DecodeImage(task), s.MaxBody
	if contentType := x.r.Header.Get("Content-Type"); strings.HasPrefix(strings.ToLower(contentType), "multipart/form-data") {
		decode, limit = openai.DecodeImageForm(task, contentType), min(s.MaxBody, maxForm)
	}
	if failure := tooLarge(x.r, limit); failure != nil {
		failure.Message = "the images are more than the 25 MB, as base64, that AWS takes"
		x.fail(failure)
		return
	}
	b, req, _ := s.readUpTo(x, limit, decode)
	if req == nil {
		return
	}
	defer b.release()
	if req.Model = cmp.Or(req.Model, s.ImageModel); req.Model == "" {
		x.fail(&llm.Error{Kind: llm.KindInvalid, Code: "missing_required_parameter", Param: "model", Message: "model is missing"})
		return
	}
	call := x.call
	call.Request, call.AnswerID = req, "img-"+call.ID
	made, failed := s.Engine.Images(x.r.Context(), call)
	if x.r.Context().Err() != nil {
		call.ClientClosed = true
	}
	x.upstreamHeaders(true)
	if failed != nil {
		x.fail(x.why(failed))
		return
	}
	pieces := openai.ImageAnswer(call.Start.Unix(), req.Image, made)
	x.watchedImages(req.Image, pieces)
	x.writePieces(http.StatusOK, pieces)
}

// writePieces sends a whole JSON answer that is not put together in memory.
func (x *exchange) writePieces(status int, pieces [][]byte) {
	x.status = status
	x.book()
	length := 0
	for _, p := range pieces {
		length += len(p)
	}
	h := x.w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(length)}
	x.w.WriteHeader(status)
	for _, p := range pieces {
		if _, err := x.w.Write(p); err != nil {
			return // a client that left is found out by the server
		}
	}
}

package engine

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"strconv"
	"sync"

	"github.com/outcrop-ai/outcrop/internal/media"
	"github.com/outcrop-ai/outcrop/llm"
)

const (
	// maxFiles bounds the files that one request may have fetched, maxFetched their bytes together: AWS takes 20 images
	// in a message, and refuses bodies far smaller than that.
	maxFiles   = 32
	maxFetched = 64 << 20
)

// fetch replaces the http(s) URLs in a conversation by the files behind them, all at once. AWS would not read them.
func (e *Engine) fetch(ctx context.Context, r *llm.Request) *llm.Error {
	var blocks []*llm.Block
	for i := range r.Messages {
		blocks = withURL(blocks, r.Messages[i].Blocks)
	}
	if r.Embed != nil {
		for _, input := range r.Embed.Inputs {
			blocks = withURL(blocks, input)
		}
	}
	switch {
	case len(blocks) == 0:
		return nil
	case e.o.Fetcher == nil:
		return badFile(blocks[0], "files are not fetched here: send a data URL")
	case len(blocks) > maxFiles:
		return badFile(blocks[maxFiles], "a request may name "+strconv.Itoa(maxFiles)+" files by URL at most")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failures := make([]*llm.Error, len(blocks))
	sizes := make([]int, len(blocks))
	var wg sync.WaitGroup
	for i, b := range blocks {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if sizes[i], failures[i] = e.fetchOne(ctx, b); failures[i] != nil {
				cancel() // the request fails whatever the others bring
			}
		}()
	}
	wg.Wait()
	total := 0
	for i, failed := range failures {
		if failed != nil && failed.Kind != llm.KindCanceled {
			return failed
		}
		if total += sizes[i]; total > maxFetched {
			return badFile(blocks[i], "the files of one request may have "+strconv.Itoa(maxFetched>>20)+" MiB together at most")
		}
	}
	for _, failed := range failures {
		if failed != nil {
			return failed
		}
	}
	return nil
}

func withURL(found []*llm.Block, blocks []llm.Block) []*llm.Block {
	for i := range blocks {
		b := &blocks[i]
		if b.Media != nil && b.Media.URL != "" {
			found = append(found, b)
		}
		if b.Tool != nil {
			found = withURL(found, b.Tool.Result)
		}
	}
	return found
}

func badFile(b *llm.Block, reason string) *llm.Error {
	param := b.Path.String()
	return &llm.Error{Kind: llm.KindInvalid, Code: "invalid_media", Param: param, Message: param + ": " + reason}
}

// fetchOne fetches one file and finds out what it is: its bytes are trusted before its server's word, and that before
// its name. The error names the URL's host, which the client knows, and nothing that the client does not.
func (e *Engine) fetchOne(ctx context.Context, b *llm.Block) (int, *llm.Error) {
	m := b.Media
	host := "that host"
	if u, err := url.Parse(m.URL); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	file, err := e.o.Fetcher.Fetch(ctx, m.URL)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, media.ErrFetch) {
			return 0, &llm.Error{Kind: llm.KindCanceled, Message: "the request ended while files were fetched", Cause: err}
		}
		return 0, badFile(b, "the file from "+host+" cannot be used: "+err.Error())
	}
	format, known := media.Sniff(file.Data)
	if !known {
		format, known = media.ByMIME(file.MIME)
	}
	if !known {
		format, known = media.ByName(file.Name)
	}
	if !known || format.Kind == llm.BlockImage && !isImage(file.Data) {
		return 0, badFile(b, "the file from "+host+" cannot be used: it is no image, document, video or audio clip in a format that Bedrock takes")
	}
	b.Kind, m.Format, m.URL = format.Kind, format.Name, ""
	m.Base64 = llm.RawText(base64.StdEncoding.AppendEncode(nil, file.Data))
	return len(file.Data), nil
}

func isImage(data []byte) bool {
	format, ok := media.Sniff(data)
	return ok && format.Kind == llm.BlockImage
}

// Command vision asks a model what is in an image: a file, or an address.
//
//	go run ./examples/vision -sim photo.jpg
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/outcrop-ai/outcrop"
	"github.com/outcrop-ai/outcrop/examples/simulation"
	"github.com/outcrop-ai/outcrop/llm"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// pixel is an image of one pixel, for those who have none at hand.
var pixel = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x04\x00\x00\x00\xb5\x1c\x0c\x02" +
	"\x00\x00\x00\x0bIDATx\xdacd\xf8\xcf\x00\x00\x04\x01\x01\x00\xc9\xfe\x92\xef\x00\x00\x00\x00IEND\xaeB`\x82")

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("vision", flag.ContinueOnError)
	simulated := simulation.Flag(flags)
	model := flags.String("model", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "the model")
	question := flags.String("question", "What is in this image?", "what to ask")
	if err := flags.Parse(args); err != nil {
		return err
	}
	options, end, err := simulation.Options(*simulated)
	if err != nil {
		return err
	}
	defer end()
	c, err := outcrop.New(ctx, options...)
	if err != nil {
		return err
	}
	defer c.Close()

	image := llm.ImageBytes(pixel, "image/png")
	if where := flags.Arg(0); strings.Contains(where, "://") {
		image = llm.ImageURL(where)
	} else if where != "" {
		if image, err = llm.ImageFile(where); err != nil {
			return err
		}
	}
	r, err := c.Chat(ctx, llm.Ask(*model, *question, image))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, r.Text())
	return nil
}

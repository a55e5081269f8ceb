// Command image paints an image and writes it to a file.
//
//	go run ./examples/image -sim "A cute baby sea otter"
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

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	simulated := simulation.Flag(flags)
	model := flags.String("model", "bedrock/amazon.nova-canvas-v1:0", "the image model")
	size := flags.String("size", "512x512", "width and height, in pixels")
	name := flags.String("o", "image.png", "the file to write")
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

	prompt := strings.Join(flags.Args(), " ")
	if prompt == "" {
		prompt = "A cute baby sea otter"
	}
	r, err := c.GenerateImage(ctx, llm.ImageRequest{Model: *model, Prompt: prompt, Size: *size})
	if err != nil {
		return err
	}
	if err := os.WriteFile(*name, r.Images[0].Data, 0o600); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s, %d bytes, %s\n", *name, r.Images[0].Type, len(r.Images[0].Data), r.Cost)
	return nil
}

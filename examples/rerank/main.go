// Command rerank orders texts by how well they answer a question.
//
//	go run ./examples/rerank -sim "What is the capital of the United States?"
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
	flags := flag.NewFlagSet("rerank", flag.ContinueOnError)
	simulated := simulation.Flag(flags)
	model := flags.String("model", "bedrock/amazon.rerank-v1:0", "the reranker")
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

	query := strings.Join(flags.Args(), " ")
	if query == "" {
		query = "What is the capital of the United States?"
	}
	texts := []string{
		"Carson City is the capital city of the American state of Nevada.",
		"Capital punishment has existed in the United States since before it was a country.",
		"Washington, D.C. is the capital of the United States.",
	}
	r, err := c.Rerank(ctx, llm.RerankRequest{Model: *model, Query: query, Documents: llm.Texts(texts...)})
	if err != nil {
		return err
	}
	for _, result := range r.Results {
		fmt.Fprintf(out, "%.3f  %s\n", result.Score, texts[result.Index])
	}
	return nil
}

// Command search finds the text that is nearest in meaning to a query, by embeddings.
//
//	go run ./examples/search -sim "a drink with caffeine"
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
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

// similarity is the cosine of the angle between two vectors.
func similarity(a, b []float32) float64 {
	var dot, lengthA, lengthB float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
		lengthA += float64(a[i]) * float64(a[i])
		lengthB += float64(b[i]) * float64(b[i])
	}
	return dot / math.Sqrt(lengthA*lengthB)
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("search", flag.ContinueOnError)
	simulated := simulation.Flag(flags)
	model := flags.String("model", "bedrock/amazon.titan-embed-text-v2:0", "the embedding model")
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
		query = "a drink with caffeine"
	}
	texts := []string{
		"Coffee is brewed from roasted beans.",
		"The otter sleeps on its back.",
		"Granite is an igneous rock.",
	}
	r, err := c.Embed(ctx, llm.EmbedRequest{Model: *model, Inputs: append(texts, query), Dimensions: 256})
	if err != nil {
		return err
	}
	asked := r.Vectors[len(texts)]
	order := make([]int, len(texts))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Compare(similarity(r.Vectors[b], asked), similarity(r.Vectors[a], asked))
	})
	for _, i := range order {
		fmt.Fprintf(out, "%+.3f  %s\n", similarity(r.Vectors[i], asked), texts[i])
	}
	return nil
}

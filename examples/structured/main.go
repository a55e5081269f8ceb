// Command structured has a model answer in the form of a Go struct.
//
//	go run ./examples/structured -sim
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

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

// Events is what is wanted.
type Events struct {
	Events []Event `json:"events"`
}

// Event is one of them.
type Event struct {
	Name      string `json:"name" description:"what happened, in five words"`
	Year      int    `json:"year"`
	Continent string `json:"continent" enum:"Africa,Americas,Asia,Europe,Oceania"`
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("structured", flag.ContinueOnError)
	simulated := simulation.Flag(flags)
	model := flags.String("model", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "the model")
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

	req := llm.Ask(*model, "List 5 important events in the XIX century")
	list, err := llm.Into[Events](ctx, c, req)
	if err != nil {
		return err
	}
	for _, e := range list.Events {
		fmt.Fprintf(out, "%d: %s (%s)\n", e.Year, e.Name, e.Continent)
	}
	return nil
}

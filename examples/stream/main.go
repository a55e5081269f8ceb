// Command stream writes an answer to the terminal while it is made. Ctrl-C ends it.
//
//	go run ./examples/stream -sim "Tell me a story"
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
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
	flags := flag.NewFlagSet("stream", flag.ContinueOnError)
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

	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	question := strings.Join(flags.Args(), " ")
	if question == "" {
		question = "Tell me a story"
	}
	for ev, err := range c.ChatStream(ctx, llm.Ask(*model, question)) {
		if err != nil {
			return err
		}
		switch ev.Kind {
		case llm.EventText:
			fmt.Fprint(out, ev.Text)
		case llm.EventUsage:
			fmt.Fprintf(out, "\n(%d tokens, %s)\n", ev.Usage.Sum(), ev.Tail.Served.Cost)
		}
	}
	return nil
}

// Command chat asks a model one question.
//
//	go run ./examples/chat -sim "Why is the sky blue?"
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
	flags := flag.NewFlagSet("chat", flag.ContinueOnError)
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

	question := strings.Join(flags.Args(), " ")
	if question == "" {
		question = "Why is the sky blue?"
	}
	r, err := c.Chat(ctx, llm.Ask(*model, question))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, r.Text())
	fmt.Fprintf(out, "(%d tokens, %s, %s)\n", r.Usage.Sum(), r.Cost, r.Region)
	return nil
}

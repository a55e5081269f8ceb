// Command pdf asks a model about a document: a file, or an address.
//
//	go run ./examples/pdf -sim report.pdf
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
	flags := flag.NewFlagSet("pdf", flag.ContinueOnError)
	simulated := simulation.Flag(flags)
	model := flags.String("model", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "the model")
	question := flags.String("question", "What is this file about?", "what to ask")
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

	m, err := c.Model(ctx, *model)
	if err != nil {
		return err
	}
	if m.Lacks(llm.Documents) {
		return fmt.Errorf("%s does not read documents", m.ID)
	}
	document := llm.DocumentBytes([]byte("%PDF-1.4\ntrailer<</Root 1 0 R>>\n%%EOF\n"), "pdf", "empty")
	if where := flags.Arg(0); strings.Contains(where, "://") {
		document = llm.DocumentURL(where)
	} else if where != "" {
		if document, err = llm.DocumentFile(where); err != nil {
			return err
		}
	}
	r, err := c.Chat(ctx, llm.Ask(*model, *question, document))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, r.Text())
	return nil
}

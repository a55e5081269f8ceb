// Command failover asks a model in two regions: when the first fails, the second answers.
//
//	go run ./examples/failover -sim
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

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("failover", flag.ContinueOnError)
	simulated := simulation.Flag(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	options, end, err := simulation.Options(*simulated)
	if err != nil {
		return err
	}
	defer end()
	east := outcrop.Deployment{Name: "nova", Model: "bedrock/amazon.nova-lite-v1:0", Region: "us-east-1", Order: 1}
	west := outcrop.Deployment{Name: "nova", Model: "bedrock/amazon.nova-lite-v1:0", Region: "us-west-2", Order: 2}
	if *simulated {
		east.ModelID = "amazon.nova-lite-v1:0.fault-throttle" // by which the simulated Bedrock knows that it is to throttle
	}
	options = append(options, outcrop.WithDeployments(east, west), outcrop.WithRetries(2))
	c, err := outcrop.New(ctx, options...)
	if err != nil {
		return err
	}
	defer c.Close()

	r, err := c.Chat(ctx, llm.Ask("nova", "Where are you?"))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, r.Text())
	fmt.Fprintf(out, "(answered in %s, after %d more tries)\n", r.Region, r.Retries)
	return nil
}

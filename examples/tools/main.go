// Command tools lets a model call a Go function.
//
//	go run ./examples/tools -sim
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

// Place is what the model asks about.
type Place struct {
	Location string `json:"location" description:"The city and state, e.g. San Francisco, CA"`
	Unit     string `json:"unit,omitempty" enum:"celsius,fahrenheit"`
}

// Weather is what it is told.
type Weather struct {
	Sky     string  `json:"sky"`
	Celsius float64 `json:"celsius"`
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("tools", flag.ContinueOnError)
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
		question = "What's the weather like in Boston today?"
	}
	if *simulated {
		question += ` call get_current_weather {"location": "Boston, MA"}` // by which the simulated model knows what to do
	}
	req := llm.Ask(*model, question)
	req.Tools = []llm.Tool{{
		Name:        "get_current_weather",
		Description: llm.NewText("Get the current weather in a given location"),
		Schema:      llm.SchemaOf[Place](),
	}}
	r, err := c.RunTools(ctx, &req, map[string]llm.ToolFunc{
		"get_current_weather": llm.Func(func(_ context.Context, p Place) (Weather, error) {
			fmt.Fprintf(out, "looking up %s\n", p.Location)
			return Weather{Sky: "sunny", Celsius: 22}, nil
		}),
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, r.Text())
	return nil
}

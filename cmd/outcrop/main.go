// Command outcrop is an LLM gateway for AWS Bedrock, and a simulator of Bedrock to try it with.
//
// Usage:
//
//	outcrop [serve] [--config config.yaml] [--host H] [--port 4000]
//	outcrop demo
//	outcrop check --config config.yaml
//	outcrop doctor --config config.yaml [--call] [--json]
//	outcrop explain --config config.yaml request.json
//	outcrop ledger verify [--config config.yaml] [--data-dir D] [--json]
//	outcrop migrate --config config.yaml
//	outcrop sim [--port 4566]
//	outcrop version
//	outcrop help
//
// Exit codes: 0 is success, 1 a finding of check, doctor, explain or ledger, 2 a program that could not start.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	_ "time/tzdata" // budgets are reset by calendars, and not every machine has zones

	"github.com/outcrop-ai/outcrop/internal/config"
)

// version is stamped by the linker.
var version = ""

func main() {
	os.Exit(run(context.Background(), os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}, os.LookupEnv))
}

// stdio is what a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// env looks up a variable.
type env func(string) (string, bool)

// The exit codes.
const (
	exitOK      = 0
	exitFinding = 1
	exitUsage   = 2
)

const usage = `Outcrop is an LLM gateway for AWS Bedrock.

  outcrop                      serve every Bedrock model with the AWS credentials of the environment
  outcrop --config FILE        serve what a LiteLLM config.yaml says
  outcrop demo                 try it: gateway and simulated Bedrock, no AWS account needed
  outcrop check --config FILE  say what is wrong with a configuration, without starting
  outcrop doctor --config FILE ask AWS whether each deployment would work: identity, endpoint, clock, model, price
  outcrop explain --config FILE REQUEST.json
                               say what would be sent to AWS for a chat request, without sending it
  outcrop ledger verify        say whether the rows of all finished requests are in the log or the database
  outcrop migrate --config FILE
                               bring the schema of the configuration's database up to date, as every start does
  outcrop sim                  run the simulated Bedrock alone
  outcrop version              print the version

"outcrop COMMAND --help" lists a command's flags.
`

// run runs a command and returns its exit code.
func run(ctx context.Context, args []string, s stdio, lookup env) int {
	command := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	var err error
	switch command {
	case "serve":
		err = serve(ctx, args, s, lookup)
	case "demo":
		err = demo(ctx, args, s, lookup)
	case "sim":
		err = simulate(ctx, args, s)
	case "check":
		err = check(args, s, lookup)
	case "doctor":
		err = doctor(ctx, args, s, lookup)
	case "explain":
		err = explain(ctx, args, s, lookup)
	case "migrate":
		err = migrateDatabase(ctx, args, s, lookup)
	case "ledger":
		err = ledger(ctx, args, s, lookup)
	case "version":
		fmt.Fprintln(s.out, "outcrop", currentVersion())
	case "help":
		fmt.Fprint(s.out, usage)
	default:
		known := []string{"serve", "demo", "sim", "check", "doctor", "explain", "ledger", "migrate", "version", "help"}
		err = fmt.Errorf("there is no command %q%s; outcrop help lists them", command, didYouMean(command, known))
	}
	return exitCode(err, s.err)
}

// finding is the outcome of a command that did its work and found something wrong.
type finding struct{ text string }

func (f finding) Error() string { return f.text }

func exitCode(err error, stderr io.Writer) int {
	var found finding
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &found):
		fmt.Fprintln(stderr, found.text)
		return exitFinding
	case errors.Is(err, errReported):
		return exitUsage
	default:
		fmt.Fprintln(stderr, "outcrop: "+err.Error())
		return exitUsage
	}
}

func didYouMean(name string, known []string) string {
	if near := config.Nearest(name, known); near != "" {
		return ", did you mean " + near + "?"
	}
	return ""
}

// currentVersion returns the stamped version, or what the Go tool knows.
func currentVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

// untilSignal returns a context that ends at SIGTERM or SIGINT. After the first signal the process takes the next one
// as the operating system does: it ends at once.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

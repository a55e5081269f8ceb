package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// flags is a command's set of flags, in LiteLLM's spelling where LiteLLM has them.
type flags struct {
	*flag.FlagSet
	// used are the flags that were given and have no effect.
	used []string
	help io.Writer
}

func newFlags(command, arguments string, help io.Writer) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(command, flag.ContinueOnError), help: help}
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	f.printUsage(command, arguments)
	return f
}

func (f *flags) printUsage(command, arguments string) {
	f.Usage = func() {
		fmt.Fprintf(f.help, "outcrop %s %s\n\n", command, arguments)
		f.VisitAll(func(o *flag.Flag) {
			if o.Usage != "" {
				fmt.Fprintf(f.help, "  --%-22s %s\n", o.Name, o.Usage)
			}
		})
	}
}

// configFile defines the flag that names the configuration, under its two names.
func (f *flags) configFile(v *string, value, text string) {
	f.StringVar(v, "config", value, text)
	f.StringVar(v, "c", value, "")
}

// ignore accepts a flag that has no effect; takesValue says whether a value follows it.
func (f *flags) ignore(name string, takesValue bool) {
	note := func(string) error { f.used = append(f.used, name); return nil }
	if takesValue {
		f.Func(name, "", note)
	} else {
		f.BoolFunc(name, "", note)
	}
}

// parse reads the arguments. A flag that does not exist is an error with the nearest one that does.
func (f *flags) parse(args []string) error {
	err := f.Parse(args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		if err != nil {
			f.Usage()
		}
		return err
	}
	const undefined = "flag provided but not defined: "
	if name, ok := strings.CutPrefix(err.Error(), undefined); ok {
		var known []string
		f.VisitAll(func(o *flag.Flag) { known = append(known, o.Name) })
		name = strings.TrimLeft(name, "-")
		return fmt.Errorf("there is no flag --%s%s; outcrop %s --help lists them", name, didYouMean(name, known), f.Name())
	}
	return err
}

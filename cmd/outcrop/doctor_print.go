package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// printDiagnosesJSON prints {"ok": …, "deployments": […]}.
func printDiagnosesJSON(w io.Writer, list []*diagnosis) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		OK          bool         `json:"ok"`
		Deployments []*diagnosis `json:"deployments"`
	}{countFailed(list) == 0, list})
}

// printDiagnoses prints a table for each deployment.
func printDiagnoses(out io.Writer, list []*diagnosis) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, x := range list {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s (%s)\n", x.ModelName, x.Model)
		for _, c := range x.Checks {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", c.State, c.Check, oneLine(c.Detail))
			if c.Hint != "" && c.State != stateOK {
				fmt.Fprintf(w, "  \t\t%s\n", oneLine(c.Hint))
			}
		}
		if len(x.Actions) > 0 {
			fmt.Fprintf(w, "  needs\tiam\t%s\n", strings.Join(x.Actions, ", "))
		}
		for _, resource := range x.Resources {
			fmt.Fprintf(w, "  \t\ton %s\n", resource)
		}
	}
	return w.Flush()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

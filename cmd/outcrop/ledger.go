package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/outcrop-ai/outcrop/internal/account"
)

const ledgerUsage = `outcrop ledger COMMAND

  verify   compare the log of finished requests with the database: is every row once where it should be?

"outcrop ledger COMMAND --help" lists a command's flags.
`

// ledger is the command that looks at the books.
func ledger(ctx context.Context, args []string, s stdio, lookup env) error {
	known := []string{"verify", "help"}
	switch {
	case len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h":
		fmt.Fprint(s.out, ledgerUsage)
		return nil
	case args[0] == "verify":
		return verifyLedger(ctx, args[1:], s, lookup)
	default:
		return fmt.Errorf("there is no command %q%s; outcrop ledger help lists them", "ledger "+args[0], didYouMean(args[0], known))
	}
}

func verifyLedger(ctx context.Context, args []string, s stdio, lookup env) error {
	var o serveOptions
	var asJSON bool
	f := newFlags("ledger verify", "[--config FILE] [--data-dir DIR] [--json]", s.out)
	f.configFile(&o.config, "", "the configuration; it says where the database and the log are")
	f.StringVar(&o.dataDir, "data-dir", "", "folder of the database; that of the configuration, else the current one")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	if err := f.parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	c, err := load(&o, s, lookup)
	if err != nil {
		return err
	}
	database, log := places(c, o.folder())
	store, err := database.view(ctx)
	if err != nil {
		return err
	}
	v, err := account.Verify(ctx, log, store)
	if err = errors.Join(err, store.Close()); err != nil {
		return err
	}
	if asJSON {
		err = printVerificationJSON(s.out, v, log, store.Name())
	} else {
		printVerification(s.out, v, log, store.Name())
	}
	if err == nil && !v.Sound() {
		return finding{"the ledger is not sound"}
	}
	return err
}

// listed is how many rows are named.
const listed = 20

func printVerification(w io.Writer, v *account.Verification, log, database string) {
	fmt.Fprintf(w, "log       %s: %d file(s), %d bytes, %d row(s)\n", log, v.Log.Files, v.Log.Bytes, v.Log.Payloads)
	fmt.Fprintf(w, "database  %s\n\n", database)
	line := func(n int, what string) { fmt.Fprintf(w, "%8d  %s\n", n, what) }
	line(v.Shipped, "rows of the log are in the database by its word")
	line(v.Waiting, "rows wait to be written")
	if v.Written > 0 {
		line(v.Written, "of them are written already, and will be skipped")
	}
	if v.Repeated > 0 {
		line(v.Repeated, "rows are in the log again, and will be skipped")
	}
	if v.Log.Torn > 0 {
		line(v.Log.Torn, "rows were not written whole: their requests were not finished")
	}
	line(len(v.Missing), "rows are missing in the database")
	line(len(v.Doubled), "calls have two rows")
	line(v.Log.Damaged+v.Unreadable, "places of the log are damaged")
	if v.Log.SetAside > 0 {
		line(v.Log.SetAside, "damaged files are kept beside it")
	}
	name := func(what string, rows []string) {
		for i, row := range rows {
			if i == listed {
				fmt.Fprintf(w, "%s  … and %d more\n", what, len(rows)-listed)
				break
			}
			fmt.Fprintf(w, "%s  %s\n", what, row)
		}
	}
	name("missing", v.Missing)
	name("doubled", v.Doubled)
}

func printVerificationJSON(w io.Writer, v *account.Verification, log, database string) error {
	out := struct {
		Log      string   `json:"log"`
		Database string   `json:"database"`
		Files    int      `json:"files"`
		Bytes    int64    `json:"bytes"`
		Rows     int      `json:"rows"`
		Shipped  int      `json:"shipped"`
		Waiting  int      `json:"waiting"`
		Written  int      `json:"waiting_but_written"`
		Repeated int      `json:"repeated_in_log"`
		Torn     int      `json:"torn"`
		Damaged  int      `json:"damaged"`
		SetAside int      `json:"damaged_files"`
		Missing  []string `json:"missing"`
		Doubled  []string `json:"doubled"`
		Sound    bool     `json:"sound"`
	}{
		log, database, v.Log.Files, v.Log.Bytes, v.Log.Payloads, v.Shipped, v.Waiting, v.Written, v.Repeated,
		v.Log.Torn, v.Log.Damaged + v.Unreadable, v.Log.SetAside, append([]string{}, v.Missing...), append([]string{}, v.Doubled...), v.Sound(),
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

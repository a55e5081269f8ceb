package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// settings are the parameters of a URL that go to the driver; startup ones are the server's own.
var (
	settings = []string{
		"sslmode", "sslrootcert", "sslcert", "sslkey", "sslsni", "sslnegotiation", "connect_timeout", "target_session_attrs", "channel_binding",
		"krbsrvname", "min_protocol_version", "max_protocol_version", "require_auth",
	}
	startup = []string{"application_name", "search_path", "timezone", "options", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "work_mem"}
)

// address is what a URL says.
type address struct {
	config *pgx.ConnConfig
	// name is host, port and database, for people.
	name string
	// connections bounds the pool; 0 is not said.
	connections int
	// ignored are parameters that have no effect.
	ignored []string
}

// parse reads a URL. Its errors never quote it: what is wrong may be the password.
func parse(text string) (address, error) {
	var a address
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" {
		return a, errors.New("it is not a URL: characters like / ? # @ : % in the user's name or password must be escaped (%2F %3F %23 %40 %3A %25)")
	}
	password, hasPassword := "", false
	if u.User != nil {
		password, hasPassword = u.User.Password()
		u.User = url.User(u.User.Username())
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return a, errors.New("what stands behind its ? is wrong")
	}
	kept, mode := url.Values{}, ""
	for key, values := range query {
		value := values[len(values)-1]
		switch lower := strings.ToLower(key); {
		case lower == "connection_limit":
			if a.connections, err = strconv.Atoi(value); err != nil || a.connections < 1 {
				return a, errors.New("connection_limit is not a number above 0")
			}
		case lower == "schema":
			kept.Set("search_path", value)
		case lower == "pgbouncer" && value == "true", lower == "statement_cache_size" && value == "0":
			mode = "exec" // a pooler gives each transaction another connection: nothing may be kept on one
		case lower == "password":
			password, hasPassword = value, true
		case slices.Contains(settings, lower), slices.Contains(startup, lower):
			kept.Set(lower, value)
		case lower == "host" && strings.HasPrefix(value, "/"): // a socket's directory
			kept.Set(lower, value)
		case lower == "port" || lower == "user" || lower == "dbname" || lower == "database":
			kept.Set(lower, value)
		default:
			a.ignored = append(a.ignored, key)
		}
	}
	slices.Sort(a.ignored)
	if mode != "" {
		kept.Set("default_query_exec_mode", mode)
	}
	if kept.Get("application_name") == "" {
		kept.Set("application_name", "outcrop")
	}
	u.RawQuery = kept.Encode()
	if a.config, err = pgx.ParseConfig(u.String()); err != nil { // the password is not in it
		return a, fmt.Errorf("it cannot be used: %w", err)
	}
	if hasPassword {
		a.config.Password = password
	}
	a.name = "postgres://" + a.config.Host + ":" + strconv.Itoa(int(a.config.Port)) + "/" + a.config.Database
	return a, nil
}

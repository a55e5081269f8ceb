// Package config turns a LiteLLM config.yaml into a typed [Config].
//
// In comes a YAML file with what LiteLLM allows in it: include, environment_variables, os.environ/NAME, anchors and
// merge keys. Out come the settings, with credentials merged in and every default stated, and a list of [Problem]s:
// all of them, not just the first, each with file, line, column and, where there is one, the nearest known name. A
// Config is to be used only if no Problem is an [Error].
//
// The package must never change the process environment, open a connection, or put a secret into a message. A value
// that came from the environment is never quoted in a message either, since the wrong variable may have been named.
//
// Start reading at [Loader.Load]: read.go (files to one tree), tree.go and environ.go (the tree), decode.go (tree to
// structs), rules.go (what must fit together). settings.go lists every name that LiteLLM knows and what becomes of it.
package config

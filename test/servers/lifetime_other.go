//go:build !linux

package servers

import "os/exec"

// start starts a server, which ends when it is stopped.
func start(server *exec.Cmd, _ <-chan struct{}) error { return server.Start() }

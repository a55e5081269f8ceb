package servers

import (
	"os/exec"
	"runtime"
	"syscall"
)

// start starts a server that the kernel kills when this process ends, however it ends: a test that is killed cleans nothing
// up. The kernel means the thread that has started it, so a thread is kept until done is closed.
func start(server *exec.Cmd, done <-chan struct{}) error {
	if server.SysProcAttr == nil {
		server.SysProcAttr = &syscall.SysProcAttr{}
	}
	server.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := server.Start()
		started <- err
		if err == nil {
			<-done
		}
	}()
	return <-started
}

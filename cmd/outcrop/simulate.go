package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/outcrop-ai/outcrop/internal/sim"
)

// simulate is the command that runs the simulated Bedrock alone.
func simulate(ctx context.Context, args []string, s stdio) error {
	o := simOptions()
	var host, port, scenario string
	var noAuth bool
	var credentials sim.Credential
	f := newFlags("sim", "[--port 4566] [--scenario FILE]", s.out)
	f.StringVar(&host, "host", "127.0.0.1", "address to listen on; 127.0.0.1")
	f.StringVar(&port, "port", "4566", "port to listen on; 4566")
	f.StringVar(&o.Region, "region", "", "refuse signatures for other regions; any region is served")
	f.StringVar(&scenario, "scenario", "", "file with scripted answers and faults")
	f.StringVar(&credentials.AccessKeyID, "access-key-id", sim.AccessKeyID, "the access key that is accepted")
	f.StringVar(&credentials.SecretAccessKey, "secret-access-key", sim.SecretAccessKey, "its secret")
	f.BoolVar(&noAuth, "no-auth", false, "accept every request, signed or not")
	f.DurationVar(&o.Latency, "latency", 0, "time before an answer's headers")
	f.DurationVar(&o.FirstEvent, "first-event", 0, "time between a stream's headers and its first frame")
	f.DurationVar(&o.ChunkDelay, "chunk-delay", 0, "time between the frames of a stream")
	f.IntVar(&o.ChunkSize, "chunk-size", 0, "characters in one frame of text; 12")
	f.BoolVar(&o.Fast, "fast", false, "for benchmarks: no checks, one prepared answer")
	f.IntVar(&o.FastChunks, "fast-chunks", 0, "frames of text in a prepared stream; 200")
	if err := f.parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if noAuth {
		o.Auth = sim.AuthOff
	}
	o.Credentials = []sim.Credential{credentials}
	if scenario != "" {
		loaded, err := sim.LoadScenario(scenario)
		if err != nil {
			return err
		}
		o.Scenario = loaded
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return listenError(host, port, err)
	}
	bedrock := sim.New(o)
	server := &http.Server{Handler: bedrock, ReadHeaderTimeout: 10 * time.Second}
	protocols(server, nil)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(s.out, "simulated Bedrock is ready on http://%s (access key %s)\n", listener.Addr(), credentials.AccessKeyID)
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	if stopped := <-served; !errors.Is(stopped, http.ErrServerClosed) {
		err = errors.Join(err, stopped)
	}
	bedrock.Close()
	return err
}

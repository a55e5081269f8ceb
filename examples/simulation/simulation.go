// Package simulation lets the examples run without an AWS account.
package simulation

import (
	"flag"

	"github.com/outcrop-ai/outcrop"
	"github.com/outcrop-ai/outcrop/internal/sim"
)

// Flag adds the switch -sim to flags.
func Flag(flags *flag.FlagSet) *bool {
	return flags.Bool("sim", false, "call a simulated Bedrock in this process: no AWS account is needed")
}

// Options returns the settings of a client. If on, they lead to a simulated Bedrock, which end ends; else there are none, and
// the client finds credentials and region as every AWS tool does.
func Options(on bool) (options []outcrop.Option, end func(), err error) {
	if !on {
		return nil, func() {}, nil
	}
	s := sim.New(sim.Options{})
	address, err := s.Start()
	if err != nil {
		return nil, nil, err
	}
	return []outcrop.Option{
		outcrop.WithEndpoint(address), outcrop.WithRegion("us-east-1"), outcrop.WithStaticKeys(sim.AccessKeyID, sim.SecretAccessKey, ""),
	}, s.Close, nil
}

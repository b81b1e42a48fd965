// Package app is the composition root: it turns a Config into a running server and hands commands to the process.
package app

import (
	"context"
	"errors"
	"runtime/debug"

	"leat/internal/cli"
	"leat/internal/types"
)

// release is the version of this source; the build's revision is added to it.
const release = "0.1.0"

// Version names release, revision and engine.
func Version() string {
	v := "leat " + release
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			v += " (" + s.Value[:12] + ")"
		case s.Key == "vcs.modified" && s.Value == "true":
			v += " modified"
		}
	}
	return v
}

// Main runs the command line and returns the exit code.
func Main(ctx context.Context, env cli.Env, args []string) int {
	root := cli.New(env, Version(), newStart(env), newDemo(env), newRun(env))
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		err = types.Errorf(types.Internal, "something was canceled, and nobody asked for it: %v", err) // not to be kept quiet
	}
	return cli.Exit(env, err)
}

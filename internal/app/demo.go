package app

import (
	"context"

	"github.com/spf13/cobra"

	"leat/internal/cli"
)

// newDemo makes `leat demo`: a server with defaults and a client that plays flights to it.
func newDemo(env cli.Env) *cobra.Command {
	cfg := DefaultConfig()
	cfg.Data, cfg.LogLevel = "demo-data", "warn"
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start a server and replay real flight data into it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cfg.Validate(); err != nil {
				return err
			}
			return run(cmd.Context(), env, cfg, func(ctx context.Context, url string) error {
				return cli.Replay(ctx, env, url, cfg.Data)
			})
		},
	}
	cmd.Flags().StringVar(&cfg.Data, "data", cfg.Data, "folder of the demo's data")
	cmd.Flags().StringVar(&cfg.Listen, "listen", cfg.Listen, "address of the HTTP API")
	cmd.Flags().StringVar(&cfg.PGListen, "pg-listen", cfg.PGListen, "address of the PostgreSQL protocol, or off")
	cmd.Flags().StringVar(&cfg.AddrFile, "addr-file", "", "file to write the address to that the server listens on")
	return cmd
}

package app

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"leat/internal/cli"
	"leat/internal/types"
)

// newStart makes `leat start`, whose flags are the fields of Config.
func newStart(env cli.Env) *cobra.Command {
	cfg := DefaultConfig()
	var file string
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Start the server",
		Long: "Start the server. Each setting can also stand in leat.toml (key = value) or in the environment\n" +
			"(LEAT_ and the key in upper case, _ for -); a flag wins over the environment, that over the file.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			final, err := resolve(cmd.Flags(), cfg, file, env.Getenv)
			if err != nil {
				return err
			}
			return run(cmd.Context(), env, final, nil)
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file (LEAT_CONFIG; default ./leat.toml if it is there)")
	bindFlags(cmd.Flags(), &cfg)
	return cmd
}

// bindFlags makes a flag of every setting, its present value being the default.
func bindFlags(flags *pflag.FlagSet, c *Config) {
	for _, f := range c.fields() {
		switch p := f.ptr.(type) {
		case *string:
			flags.StringVar(p, f.key, *p, f.help)
		case *[]string:
			flags.StringSliceVar(p, f.key, *p, f.help)
		case *bool:
			flags.BoolVar(p, f.key, *p, f.help)
		case *int:
			flags.IntVar(p, f.key, *p, f.help)
		case *time.Duration:
			flags.DurationVar(p, f.key, *p, f.help)
		case *Bytes:
			flags.Var(p, f.key, f.help)
		default:
			panic("BUG: setting " + f.key + " has a type that no flag has")
		}
	}
}

// resolve lays file, environment and flags over the defaults, in this order.
func resolve(flags *pflag.FlagSet, fromFlags Config, file string, getenv func(string) string) (Config, error) {
	if file == "" {
		file = getenv("LEAT_CONFIG")
	}
	cfg := DefaultConfig()
	if err := cfg.load(file, getenv); err != nil {
		return Config{}, err
	}
	given := fromFlags.fields()
	for i, f := range cfg.fields() {
		if !flags.Changed(f.key) {
			continue
		}
		text := flags.Lookup(given[i].key).Value.String()
		if list, ok := given[i].ptr.(*[]string); ok {
			*f.ptr.(*[]string) = *list
			continue
		}
		if err := f.set(text); err != nil {
			return Config{}, types.Errorf(types.InvalidArgument, "--%s: %w", f.key, err)
		}
	}
	return cfg, cfg.Validate()
}

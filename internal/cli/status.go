package cli

import (
	"net/http"

	"github.com/spf13/cobra"
)

func newStatus(c *client) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show how the server is doing",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.printJSON(cmd.Context(), http.MethodGet, "/v1/status", "")
		},
	}
}

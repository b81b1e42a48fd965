package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"leat/internal/types"
)

func newStreams(c *client) *cobra.Command {
	return &cobra.Command{
		Use:   "streams",
		Short: "List streams, tables, views and endpoints",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.runSQL(cmd.Context(), "SHOW ALL", nil, 0) },
	}
}

func newSchema(c *client) *cobra.Command {
	return &cobra.Command{
		Use:   "schema STREAM",
		Short: "Show a stream's columns, event time and CREATE statement",
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return c.schema(cmd.Context(), args[0]) },
	}
}

func (c *client) schema(ctx context.Context, name string) error {
	name = types.QuoteIdent(strings.ToLower(name))
	if err := c.runSQL(ctx, "DESCRIBE "+name, nil, 0); err != nil {
		return err
	}
	if format, err := c.format(); err != nil || format != "table" {
		return err
	}
	var doc struct{ Data []map[string]string }
	if err := c.getJSON(ctx, sqlRequest("SHOW CREATE "+name, nil, "json", 0), &doc); err != nil {
		return err
	}
	for _, row := range doc.Data {
		for _, text := range row {
			if strings.HasPrefix(text, "CREATE") {
				fmt.Fprintf(c.env.Stdout, "\n%s;\n", strings.TrimRight(text, ";\n"))
			}
		}
	}
	return nil
}

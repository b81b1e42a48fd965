package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"leat/internal/codec"
	"leat/internal/codec/chunk"
	"leat/internal/infer"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// inferRecords is how many records of a file are looked at, taken from its beginning.
const inferRecords = 20_000

func newInfer(env Env) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "infer FILE",
		Short: "Print the CREATE STREAM that a file would make (NDJSON, JSON array, CSV, Parquet), without a server",
		Args:  cobra.ExactArgs(1),
		RunE:  func(_ *cobra.Command, args []string) error { return inferFile(env, args[0], name) },
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the stream (default: from the file's name)")
	return cmd
}

func inferFile(env Env, file, name string) error {
	in := env.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return types.Errorf(types.InvalidArgument, "%w", err)
		}
		defer f.Close()
		in = f
	}
	records, bad, err := sampleRecords(file, in)
	if err != nil {
		return types.Errorf(types.InvalidArgument, "%s: %w", file, err)
	}
	schema, notes := infer.Infer(records)
	for _, n := range notes {
		bad = append(bad, n.Err)
	}
	for _, e := range bad[:min(len(bad), 5)] {
		fmt.Fprintln(env.Stderr, "a record can't be used:", e.Error())
	}
	if len(schema.Columns) == 0 {
		return types.Errorf(types.InvalidRecord, "%s has no record with a field to make a column from", file)
	}
	if name == "" {
		name = streamName(file)
	}
	if err := types.CheckObjectName(name); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Stdout, ddl.Print(ddl.StreamOf(name, schema, types.TimeRule{Column: infer.EventTime(schema)}))+";")
	return err
}

// sampleRecords decodes by a schema without columns: then every record comes back as JSON.
func sampleRecords(name string, in io.Reader) (records [][]byte, bad []*types.Error, err error) {
	chunks, err := chunk.New(name, in, chunk.Options{})
	if err != nil {
		return nil, nil, err
	}
	defer chunks.Close()
	chunks.Records = 1000
	decoder := codec.NewDecoder(&types.Schema{}, codec.Options{})
	for len(records) < inferRecords {
		body, contentType, _, err := chunks.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		d, err := decoder.Decode(body, codec.Sniff(contentType, body))
		if err != nil {
			return nil, nil, err
		}
		records = append(records, d.Unknown...)
		for _, r := range d.Rejects {
			bad = append(bad, r.Err)
		}
	}
	return records, bad, nil
}

var notName = regexp.MustCompile(`[^a-z0-9_]+`)

// streamName makes an object name of a file's name: orders-2026.ndjson.gz is orders_2026.
func streamName(file string) string {
	base, _, _ := strings.Cut(filepath.Base(file), ".")
	name := strings.Trim(notName.ReplaceAllString(strings.ToLower(base), "_"), "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "s_" + name
	}
	return name[:min(len(name), 63)]
}

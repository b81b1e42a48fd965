package flink

import (
	"context"
	"embed"
	"fmt"
	"path/filepath"
	"time"
)

//go:embed queries
var queries embed.FS

// settings are those of the published comparison: see DESIGN 7; RocksDB and exactly-once checkpoints are the cluster's (flink.sh).
var settings = []string{
	"SET 'execution.runtime-mode' = 'streaming'",
	"SET 'parallelism.default' = '2'",
	"SET 'pipeline.object-reuse' = 'true'",
	"SET 'table.exec.mini-batch.enabled' = 'true'",
	"SET 'table.exec.mini-batch.allow-latency' = '2 s'",
	"SET 'table.exec.mini-batch.size' = '50000'",
	"SET 'table.local-time-zone' = 'UTC'",
}

var tables = map[string]string{
	"person":  "id BIGINT, name STRING, email_address STRING, credit_card STRING, city STRING, state STRING, date_time TIMESTAMP(3), extra STRING",
	"auction": "id BIGINT, item_name STRING, description STRING, initial_bid BIGINT, reserve BIGINT, date_time TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT, extra STRING",
	"bid":     "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, date_time TIMESTAMP(3), extra STRING",
}

// Nexmark runs a query of the Nexmark benchmark ("q0") over the files STREAM.ndjson in dir into a sink that forgets, and returns how long
// the job ran.
func (c *Cluster) Nexmark(ctx context.Context, query, dir string) (time.Duration, error) {
	text, err := queries.ReadFile("queries/" + query + ".sql")
	if err != nil {
		return 0, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return 0, err
	}
	statements := append([]string(nil), settings...)
	for name, columns := range tables {
		statements = append(statements, fmt.Sprintf(`CREATE TABLE %s (%s, WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
			WITH ('connector' = 'filesystem', 'path' = 'file://%s/%s.ndjson', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601')`,
			name, columns, dir, name))
	}
	statements = append(statements,
		"CREATE VIEW answer AS "+string(text),
		// Without a key of its own the sink would make Flink materialise its input once more.
		"SET 'table.exec.sink.upsert-materialize' = 'NONE'",
		"CREATE TABLE nowhere WITH ('connector' = 'blackhole') AS SELECT * FROM answer")
	return c.Run(ctx, statements)
}

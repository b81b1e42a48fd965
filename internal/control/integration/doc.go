// Package integration tests control against DuckDB. It stands apart so that control's own tests link no cgo.
package integration

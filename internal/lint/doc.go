// Package lint holds no code, only a test: it loads the import graph of the module and checks it against the
// package table of docs/ARCHITECTURE.md and against the rules about drivers, each with its reason.
package lint

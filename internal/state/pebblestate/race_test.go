//go:build race

package pebblestate

// underRace: Pebble checks its invariants in builds with the race detector only.
const underRace = true

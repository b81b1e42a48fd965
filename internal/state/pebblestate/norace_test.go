//go:build !race

package pebblestate

const underRace = false

package control

import (
	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/sql/ddl"
)

// setEndpointOptions changes what is given, and checks that all options fit each other.
func setEndpointOptions(e *catalog.Endpoint, o *ddl.Options) error {
	assign(&e.Description, o.Description)
	assign(&e.Options.Rate, o.Rate)
	assign(&e.Options.Burst, o.Burst)
	assign(&e.Options.Concurrent, o.Concurrent)
	assign(&e.Options.MaxRows, o.MaxRows)
	assign(&e.Options.MaxBytes, o.MaxBytes)
	assign(&e.Options.Timeout, o.Timeout)
	assign(&e.Options.StaleIfOverloaded, o.StaleIfOverloaded)
	if o.Cache != nil {
		e.Options.NoCache = !*o.Cache
	}
	return auth.Limits(e.Options.Limits).Check()
}

func assign[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}

// resetEndpointOptions gives options their defaults back; without a rate there is no burst.
func resetEndpointOptions(e *catalog.Endpoint, names []ddl.Ident) {
	var none catalog.EndpointOptions
	for _, n := range names {
		switch n.Name {
		case "description":
			e.Description = ""
		case "rate":
			e.Options.Rate, e.Options.Burst = none.Rate, none.Burst
		case "burst":
			e.Options.Burst = none.Burst
		case "concurrent":
			e.Options.Concurrent = none.Concurrent
		case "max_rows":
			e.Options.MaxRows = none.MaxRows
		case "max_bytes":
			e.Options.MaxBytes = none.MaxBytes
		case "timeout":
			e.Options.Timeout = none.Timeout
		case "stale_if_overloaded":
			e.Options.StaleIfOverloaded = none.StaleIfOverloaded
		case "cache":
			e.Options.NoCache = none.NoCache
		}
	}
}

// endpointOptions are the options that differ from their defaults.
func endpointOptions(e *catalog.Endpoint) ddl.Options {
	cache := false
	o := ddl.Options{
		Description: given(e.Description), Rate: given(e.Options.Rate), Burst: given(e.Options.Burst), Concurrent: given(e.Options.Concurrent),
		MaxRows: given(e.Options.MaxRows), MaxBytes: given(e.Options.MaxBytes), Timeout: given(e.Options.Timeout), StaleIfOverloaded: given(e.Options.StaleIfOverloaded),
	}
	if e.Options.NoCache {
		o.Cache = &cache
	}
	return o
}

func given[T comparable](v T) *T {
	var none T
	if v == none {
		return nil
	}
	return &v
}

# Two commands do everything: `make demo` and `make test`.
GO       ?= go
LINT     := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BIN      := bin
# Packages that compile without the C++ of DuckDB: quick to build, also tested with -race.
PURE     := ./internal/types/... ./internal/bus/... ./internal/catalog/... ./internal/codec/... ./internal/infer/... \
            ./internal/ingest/... ./internal/auth/... ./internal/sql/ddl/... ./internal/endpoint/... ./internal/observe/... ./internal/api/... \
            ./internal/engine/... ./internal/state/... ./internal/sql/plan/... ./internal/sql/opt/... ./internal/pipeline/... ./internal/push/... \
            ./internal/query/... ./internal/egress/... ./internal/pgwire/pgcatalog/...

.PHONY: demo build test lint unit race e2e chaos fuzz bench bench-nexmark release clean

demo: build ## build, start with embedded defaults, replay real flights, open for queries
	$(BIN)/leat demo

build: ## bin/leat
	@test -x $(BIN)/leat || echo "Building. The first build compiles DuckDB's bindings and takes about three minutes; later ones take seconds."
	$(GO) build -o $(BIN)/leat ./cmd/leat

test: ## everything that CI runs
	@GO="$(GO)" test/run

lint: $(BIN)/golangci-lint
	$(BIN)/golangci-lint run ./...

$(BIN)/golangci-lint:
	GOBIN=$(CURDIR)/$(BIN) $(GO) install $(LINT)

unit:
	$(GO) test ./...

race:
	$(GO) test -race $(PURE)

e2e: build
	$(GO) test -count=1 ./test/...

chaos: build ## kill -9 under load, 200 times
	$(GO) test -count=1 -timeout 60m ./test/chaos -kills 200

fuzz: ## ten seconds for each parser that faces the network
	@for t in $$(grep -rlE '^func Fuzz' --include='*_test.go' internal); do \
	  for f in $$(grep -oE '^func (Fuzz[A-Za-z0-9]+)' $$t | cut -d' ' -f2); do \
	    $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 10s ./$$(dirname $$t) || exit 1; done; done

bench: build ## the figures of docs/BENCHMARKS.md
	bench/run

bench-nexmark: build ## the Nexmark queries over files, and Apache Flink beside it (200 MB from Maven); 2 GB in bench/build
	$(GO) run ./bench/nexmark/compare $(NEXMARK)

release: ## a stripped binary without build paths, in dist/
	$(GO) build -trimpath -ldflags='-s -w' -o dist/leat ./cmd/leat

clean:
	rm -rf $(BIN) dist

# `make` alone lists the targets.
.PHONY: help build test race lint fuzz bench check long vendor

FUZZTIME ?= 10s

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-8s %s\n", $$1, $$2}'

build: ## build ./pulse
	go build -trimpath -o pulse ./cmd/pulse

test: ## run every test
	go test ./...

race: ## run the tests of packages with goroutines under the race detector
	go test -race -short ./store/... ./ingest/... ./query/... ./detect/... ./web/... ./cmd/...

lint: ## format, vet, staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'gofmt would change the files above'; exit 1; }
	go vet ./...
	go tool staticcheck ./...

fuzz: ## run each fuzz target for FUZZTIME (10s)
	.ci/fuzz $(FUZZTIME)

bench: ## run the benchmarks once
	go test -run '^$$' -bench . -benchtime 1x ./...

check: ## what the gate runs
	.ci/run

long: ## what takes longer: minutes of fuzz, kill rounds, streams, load
	.ci/long

vendor: ## rebuild the browser libraries under web/ui/vendor from npm
	web/ui/vendor/rebuild

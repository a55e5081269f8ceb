# The bare call lists the targets: the text behind each ## is its help.

SHELL := /usr/bin/env bash
.DEFAULT_GOAL := help

CONFIG   ?= config.yaml
ARGS     ?=
FUZZTIME ?= 60s
FUZZ     ?= .
SOAK     ?= 10m
VERSION  ?= $(shell scripts/version.sh)

# One static file without traces of the machine that built it: the same commit and Go give the same bytes.
BUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -buildid= -X main.version=$(VERSION)'

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## try it: gateway and simulated Bedrock on :4000, no AWS account needed (ARGS="--port 4001")
	go run ./cmd/outcrop demo $(ARGS)

.PHONY: run
run: ## serve a LiteLLM configuration with your AWS credentials (CONFIG=config.yaml)
	go run ./cmd/outcrop --config $(CONFIG) $(ARGS)

.PHONY: build
build: ## bin/outcrop: static, reproducible, version stamped
	$(BUILD) -o bin/outcrop ./cmd/outcrop

.PHONY: test
test: ## everything that must pass: setup, lint, unit tests with the race detector, build, compat
	scripts/setup.sh all
	$(MAKE) --no-print-directory lint
	$(MAKE) --no-print-directory test-unit
	$(MAKE) --no-print-directory test-sdks
	$(MAKE) --no-print-directory compat

.PHONY: test-unit
test-unit: ## Go tests with the race detector, fuzz seeds included
	scripts/setup.sh servers
	CGO_ENABLED=1 go test -race -timeout 20m ./...

.PHONY: test-sdks
test-sdks: ## the official Go clients of OpenAI and Anthropic over the Go SDK's transports
	cd test/sdks && CGO_ENABLED=1 go test -mod=mod -race -timeout 20m ./... # -mod=mod: it follows the requirements of the module that it tests

.PHONY: compat
compat: build ## the real OpenAI, LangChain and AWS clients against the gateway and the simulator
	scripts/setup.sh compat
	.cache/compat/venv/bin/python -m pytest test/compat $(ARGS)

.PHONY: lint
lint: ## format, go vet, golangci-lint, known vulnerabilities
	scripts/setup.sh lint
	scripts/lint.sh

.PHONY: fuzz
fuzz: ## every fuzz target for a minute (FUZZTIME=10s, FUZZ='openai|FuzzFrames')
	FUZZTIME=$(FUZZTIME) scripts/fuzz.sh '$(FUZZ)'

.PHONY: killtest
killtest: ## kill -9 the gateway 50 times under load, 100,000 requests in all: no row lost, none doubled
	OUTCROP_KILL_ROUNDS=50 OUTCROP_KILL_REQUESTS=100000 go test ./cmd/outcrop -run Killed -count 1 -v -timeout 60m

.PHONY: bench
bench: build ## what a request costs beside three baselines (ARGS="-rounds 5")
	go run ./bench -outcrop bin/outcrop $(ARGS)

.PHONY: faults
faults: build ## what clients see while upstreams fail: the table of docs/reliability.md
	go run ./bench -reliability -outcrop bin/outcrop $(ARGS)

.PHONY: bench-sdk
bench-sdk: ## what a call of the Go SDK costs beside the AWS SDK's own client
	go test ./bench/sdk -run '^$$' -bench . -benchmem

.PHONY: soak
soak: build ## ten minutes of traffic with keys: does memory grow? (SOAK=1h)
	go run ./bench -outcrop bin/outcrop -soak $(SOAK)

.PHONY: fmt
fmt: ## format the Go files
	scripts/setup.sh lint
	.cache/bin/gofumpt -w *.go cmd internal llm examples bench test

.PHONY: setup
setup: ## get the tools and clients that the tests need
	scripts/setup.sh all

.PHONY: clean
clean: ## remove what was built and fetched
	rm -rf bin .cache test/compat/node/node_modules test/compat/.pytest_cache
	go clean -testcache

# Everything here needs Go, make and bash; the first `make run` or `make test`
# fetches the rest. `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# What every program that leaves this repository is built with: static, with the
# version that git knows, without paths of the machine it was built on.
GO_BUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=auto -ldflags '-s -w'

# How long each fuzz target runs, in the long form and inside `make test`.
FUZZTIME ?= 10m
FUZZTIME_SHORT ?= 3s

# Go modules beside the one at the root; each is tested and linted as well.
MODULES := $(patsubst %/go.mod,%,$(wildcard test/*/go.mod))

# Go's race detector needs a C compiler. Where there is none the same tests run
# without it.
RACE := $(shell [ "$$(go env CGO_ENABLED)" = 1 ] && command -v $$(go env CC) >/dev/null && echo -race)

# The directory with kube-apiserver and etcd; looked for only where it is used.
ASSETS = KUBEBUILDER_ASSETS="$$(hack/apiserver/assets)"

##@ Use

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  %-20s %s\n", $$1, $$2 }' Makefile
	@echo

.PHONY: build
build: ## Build bin/webhook and bin/kubectl-probeshift: static, version stamped
	$(GO_BUILD) -o bin/ ./cmd/webhook ./cmd/kubectl-probeshift

.PHONY: run
run: build ## Show the webhook at work beside an embedded API server
	@go build -o bin/demo ./hack/demo # `go run` ends with 1 after Ctrl-C
	@$(ASSETS) && export KUBEBUILDER_ASSETS && exec bin/demo

##@ Prove

.PHONY: test
test: ## Everything below that proves a rule, and how long each took
	@hack/tools/steps build test-unit cover test-fuzz test-envtest test-modules lb-smoke swarm-smoke chaos-smoke bench-smoke

.PHONY: test-unit
test-unit: ## Unit tests and fuzz seeds, with the race detector
	@[ -n "$(RACE)" ] || echo "no C compiler here: running without the race detector"
	go test $(RACE) $$(go list ./... | grep -v '/test/')

.PHONY: cover
cover: ## Coverage of the packages that decide, at least 95 % each
	@hack/tools/cover 95 ./pkg/healthprobe ./pkg/mutate ./pkg/sidecar ./pkg/discovery ./pkg/discovery/resource

.PHONY: test-fuzz
test-fuzz: ## Every fuzz target for FUZZTIME_SHORT, 3s by default
	@hack/tools/fuzz $(FUZZTIME_SHORT)

.PHONY: test-envtest
test-envtest: ## The webhook, kubectl probeshift and the manifests with a real API server, Envoy and Prometheus
	@hack/tools/need promtool=prometheus prometheus=prometheus
	@$(ASSETS) && KUSTOMIZE="$$(hack/tools/get kustomize)" && ENVOY="$$(hack/tools/get envoy)" && \
	export KUBEBUILDER_ASSETS KUSTOMIZE ENVOY && set -x && go test $(RACE) ./test/...

.PHONY: test-modules
test-modules: ## The tests of the test modules: real shells, the real tool, in a short form
	@hack/tools/need dash=dash busybox=busybox timeout=coreutils
	@for module in $(MODULES); do (set -x; cd $$module && go vet ./... && go test ./...); done

.PHONY: lb-smoke
lb-smoke: build bin/lb ## The sidecar with the real Envoy, in a short form; needs Linux and root
	@hack/tools/need ip=iproute2 iptables=iptables python3=python3 pip3=python3-pip
	@$(ASSETS) && export KUBEBUILDER_ASSETS && bin/lb --envoy "$$(hack/tools/get envoy)" --webhook bin/webhook --short

.PHONY: swarm-smoke
swarm-smoke: build ## Simulated sidecars at one discovery, in a short form
	@go build -o bin/swarm ./test/swarm
	@$(ASSETS) && export KUBEBUILDER_ASSETS && bin/swarm --webhook bin/webhook --short

.PHONY: chaos-smoke
chaos-smoke: build ## Pods created while certificates rotate and replicas go: none refused, none missed
	@go build -o bin/chaos ./test/chaos
	@$(ASSETS) && export KUBEBUILDER_ASSETS && bin/chaos --short

.PHONY: bench-smoke
bench-smoke: build bin/bench ## The benchmarks in a short form: right answers, rough figures
	@$(ASSETS) && export KUBEBUILDER_ASSETS && bin/bench --webhook bin/webhook --short

##@ Longer forms

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZTIME, 10m by default
	@hack/tools/fuzz $(FUZZTIME)

.PHONY: chaos
chaos: build ## The same, each event three times, with the whole table
	@go build -o bin/chaos ./test/chaos
	@$(ASSETS) && export KUBEBUILDER_ASSETS && bin/chaos

.PHONY: simulate
simulate: ## 20,000 simulated histories of each kind of certificates, among 1, 2 and 5 replicas
	PROBESHIFT_SIM_SEEDS=20000 go test -count=1 -timeout 60m ./pkg/certs

.PHONY: lb
lb: build bin/lb ## What the load-balancing sidecar does, row by row, with the real Envoy (45 minutes); needs Linux and root
	@hack/tools/need ip=iproute2 iptables=iptables python3=python3 pip3=python3-pip
	@$(ASSETS) && export KUBEBUILDER_ASSETS && bin/lb --envoy "$$(hack/tools/get envoy)" --webhook bin/webhook

.PHONY: swarm
swarm: build ## Thousands of simulated sidecars at one discovery: how fast, how large, and hostile clients beside
	@go build -o bin/swarm ./test/swarm
	@$(ASSETS) && export KUBEBUILDER_ASSETS && bin/swarm --webhook bin/webhook

.PHONY: lb-cluster
lb-cluster: bin/lb ## The sidecar on the cluster of KUBECONFIG; needs kubectl and LB_IMAGE
	@bin/lb cluster $(LB_CLUSTER_FLAGS)

.PHONY: lb-cluster-discovery
lb-cluster-discovery: bin/lb ## The same with the component lb-discovery; LB_CLUSTER_FLAGS="--dns-cache 30s" where DNS caches
	@bin/lb cluster --discovery $(LB_CLUSTER_FLAGS)

.PHONY: deploy-test
deploy-test: ## Install, opt-in, rotation, upgrade, uninstall on the cluster of KUBECONFIG; needs kubectl and AGNHOST_IMAGE
	@go build -o bin/e2e ./test/e2e
	@bin/e2e life

.PHONY: conformance
conformance: ## Lines, shells, deadlines and verdicts beside the real tool and the kubelet's probers: one table
	@hack/tools/need dash=dash busybox=busybox timeout=coreutils
	cd test/conformance && go test -count=1 -timeout 30m -args -lines 200000 -binary 2000 -scripts 10000 -expansions 200000 -every-verdict -releases 3
	cd test/conformance && go test -count=1 -v ./kubeproxy -args -choices 200000

.PHONY: e2e
e2e: ## Rewritten probes on a real kubelet, side by side with exec; KUBECONFIG, kubectl, AGNHOST_IMAGE
	@go build -o bin/e2e ./test/e2e
	@bin/e2e kubelet

.PHONY: e2e-tls
e2e-tls: ## TLS probes, as far as the cluster's feature gates allow; the same
	@go build -o bin/e2e ./test/e2e
	@bin/e2e tls

.PHONY: test-envtest-old
test-envtest-old: ## The webhook with the oldest API server, 1.30 (about 10 minutes to build, once)
	@export PROBESHIFT_APISERVER_VERSION=1.30; $(ASSETS) && export KUBEBUILDER_ASSETS && go test ./test/envtest ./test/envtest/certs

.PHONY: bench
bench: build bin/bench ## Cost beside a floor, a textbook webhook and a policy in CEL (10 minutes)
	@$(ASSETS) && export KUBEBUILDER_ASSETS && bin/bench --webhook bin/webhook

.PHONY: bench-migrate
bench-migrate: ## kubectl probeshift migrate on 10,000 files beside reading and parsing them
	go test ./test/manifests -run '^$$' -bench Migrate -benchtime 1x -timeout 60m

.PHONY: bench-policy
bench-policy: ## What the ValidatingAdmissionPolicy costs the API server
	@$(ASSETS) && KUSTOMIZE="$$(hack/tools/get kustomize)" && export KUBEBUILDER_ASSETS KUSTOMIZE && \
	go test ./test/deploy -run '^$$' -bench Policy -benchtime 40x

##@ Deliver

.PHONY: manifests
manifests: ## Print deploy/webhook, rendered
	@"$$(hack/tools/get kustomize)" build deploy/webhook

.PHONY: image
image: ## Build dist/webhook.tar: the image for amd64 and arm64, without a container engine
	go run ./hack/image --output dist/webhook.tar

.PHONY: plugin-image
plugin-image: ## The plugin's image as dist/kubectl-probeshift.tar, for verify --from-node
	go run ./hack/image --program kubectl-probeshift --output dist/kubectl-probeshift.tar

##@ Keep in order

.PHONY: lint
lint: ## golangci-lint, shellcheck
	@hack/tools/lint . $(MODULES)

.PHONY: fmt
fmt: ## Format all Go code
	@linter="$$(hack/tools/get golangci-lint)"; \
	for module in . $(MODULES); do (cd $$module && "$$linter" fmt --config $(CURDIR)/.golangci.yml); done

.PHONY: clean
clean: ## Remove what was built here
	rm -rf bin dist

# Go knows best what has to be built again.
.PHONY: bin/bench bin/lb
bin/bench bin/lb:
	cd test/$(notdir $@) && $(GO_BUILD) -o ../../$@ .

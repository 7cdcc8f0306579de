# ImageFlow. `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

# What is downloaded or built once and shared by every clone of this user.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/imageflow
TOOLS := $(CACHE)/bin

# ONNX Runtime, for this machine's architecture.
ORT_VERSION := $(shell hack/onnxruntime.sh)
ORT := $(CACHE)/onnxruntime-$(ORT_VERSION)-$(shell uname -m)
export ONNXRUNTIME_LIB := $(ORT)/libonnxruntime.so.1

# Tools that generate and check the contract; each version has its own stamp.
BUF := v1.75.0
PROTOC_GEN_GO := v1.36.12
PROTOC_GEN_GO_GRPC := v1.6.2
GRPC_GATEWAY := v2.33.0
PROTOC_GEN_OPENAPI := $(GRPC_GATEWAY)
OPENAPI := internal/gateway/openapi.swagger.json
VALIDATE_PROTO := github.com/bufbuild/protovalidate@v1.2.2
GOOGLE_PROTO := github.com/grpc-ecosystem/grpc-gateway@v1.16.0

# The MinIO that tests run against; its build takes some ten minutes, once.
MINIO := v0.0.0-20260212201848-7aac2a2c5b7c
export MINIO_BINARY := $(TOOLS)/minio

# Triton's own server, as PyPI carries it, and the Python it needs; 0.5 GB.
PYTRITON := 0.7.0
TRITONCLIENT := 2.73.0
TRITON := $(CACHE)/triton-$(PYTRITON)-$(ORT_VERSION)

# The demo model, and the Python that renders its held-out pictures and scores it too.
MODEL := functions/detect/model
HELDOUT := $(CACHE)/heldout-$(ORT_VERSION)

# The Jaeger that make trace sends spans to; its build takes some 20 minutes, once.
JAEGER := v1.76.0

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The picture that `make run` sends through the chain; none when empty.
IMAGE ?= test/images/sample.jpg

.PHONY: run
run: build ## set everything up and run the whole pipeline on this machine; IMAGE=path for your own picture, FLAGS=--help for settings
	@exec bin/imageflow-local $(if $(IMAGE),--image "$(IMAGE)") $(FLAGS)

.PHONY: build
build: setup ## build the two commands into bin/
	@echo "building (the first time takes some minutes) ..."
	go build -o bin/ ./cmd/...

.PHONY: test
test: setup check-proto $(TOOLS)/stamp-minio-$(MINIO) ## run every test, with the race detector, and print the coverage
	go vet ./...
	go test -race -timeout 20m -coverpkg=./functions/...,./internal/... -coverprofile=coverage.out ./...
	go test -run 'TestFootprintHolds|TestBombsCostNothing' ./internal/imaging # they measure memory and processor time
	go -C test test -race -timeout 20m -count=1 ./... # its cache does not see config/
	go -C test/argo test -count=1 ./... # nor does that of this one
	@echo "coverage of functions/ and internal/:"
	@go tool cover -func=coverage.out | awk '/^total:/ {print "  total " $$3}'

# The packages that `make lint` reads; all of them when empty.
PACKAGES ?=

.PHONY: lint
lint: setup ## check style, length and common mistakes; PACKAGES=./internal/job/... for some packages
	@hack/lint.sh $(PACKAGES)

.PHONY: bench
bench: setup $(TOOLS)/stamp-minio-$(MINIO) ## run the micro-benchmarks, compare resizes with vips_thumbnail and imagor, then time the whole chain on the local store and on MinIO, single calls, and what telemetry takes
	go test -run '^$$' -bench . -benchmem ./functions/... ./internal/...
	go -C test/bench run -mod=mod .
	go -C test test -run '^$$' -bench Chain -benchtime 50x ./scenario -races=false
	go -C test test -run '^$$' -bench 'Overhead|Throughput' -benchtime 300x ./scenario -races=false
	go -C test test -run '^$$' -bench Telemetry -benchtime 200x ./scenario -races=false

.PHONY: pictures
pictures: setup ## make the page of what filters and qualities look like: test/pictures
	go -C test run ./pictures images/sample.jpg pictures

.PHONY: trace
trace: setup $(TOOLS)/stamp-jaeger-$(JAEGER) ## send the trace of an upload to a real Jaeger, and draw what it has to internal/telemetry/trace.svg
	go -C test test ./scenario -count=1 -v -races=false -run TestJaegerShowsOneTrace -jaeger $(TOOLS)/jaeger -waterfall $(CURDIR)/internal/telemetry/trace.svg

# As a tool of a module, since its own replaces packages, which go install refuses.
$(TOOLS)/stamp-jaeger-$(JAEGER):
	@echo "building Jaeger (some 20 minutes, once) ..."
	folder=$$(mktemp -d)
	trap 'rm -rf "$$folder"' EXIT
	cd "$$folder"
	go mod init jaeger
	go get -tool github.com/jaegertracing/jaeger/cmd/jaeger@$(JAEGER)
	go build -o $(TOOLS)/jaeger github.com/jaegertracing/jaeger/cmd/jaeger
	touch $@

# How hard `make crash` is.
PICTURES ?= 500
KILLS ?= 10

.PHONY: crash
crash: setup $(TOOLS)/stamp-minio-$(MINIO) ## lose nothing: PICTURES=500 through a real MinIO while every part is killed KILLS=10 times, and other losses
	go -C test test ./scenario -count=1 -v -timeout 30m -races=false -crash.images $(PICTURES) -crash.kills $(KILLS) \
		-run 'TestNothingIsLostOverKills|TestLocalModeLosesNothing|TestSweeperFindsWhatNoOneTold|TestPoisonIsKeptAndReplayed|TestHostileKeysHoldUpNoOne|TestSweeperGoesPastHostileKeys'

.PHONY: load
load: build ## send pictures at constant rates and tell whether the service levels hold; FLAGS="--gateway URL" for a deployment, FLAGS=--help for more
	go -C test build -o ../bin/load ./load
	bin/load $(FLAGS)

# Prometheus as Debian packages it, unpacked and not installed: nothing starts.
PROMETHEUS := $(CACHE)/prometheus

.PHONY: monitoring-test
monitoring-test: setup $(PROMETHEUS)/stamp ## test alerts and dashboard: the rules with promtool, every panel's query on a real Prometheus that watches local mode
	PROMETHEUS_HOME=$(PROMETHEUS)/usr/bin go -C test test -count=1 -v ./scenario -races=false -run TestDashboardShows
	PROMETHEUS_HOME=$(PROMETHEUS)/usr/bin go -C test test -count=1 -v -run 'TestRules|TestEveryAlert|TestPodsAreMonitored' ./manifests

$(PROMETHEUS)/stamp:
	@echo "fetching Prometheus (19 MB, once) ..."
	rm -rf $(@D) && mkdir -p $(@D) && cd $(@D)
	apt-get download -q prometheus || { echo "apt-get update may help" >&2; exit 1; }
	dpkg -x prometheus_*.deb . && rm prometheus_*.deb
	touch $@

# How long `make soak` and `make fuzz` are.
SOAK ?= 10000
ROTATIONS ?= 2000
FUZZTIME ?= 10m

.PHONY: soak
soak: setup $(TOOLS)/stamp-minio-$(MINIO) ## hold no more: SOAK=10000 mixed requests while memory, threads and goroutines are watched; then ROTATIONS=2000 pictures turned in parallel, all the same
	go -C test test ./scenario -count=1 -v -timeout 2h -races=false -run TestSoak -soak $(SOAK)
	GODEBUG=gccheckmark=0 GOGC=10 go test ./internal/imaging -count=1 -v -timeout 30m -run TestConcurrentOutputsAreTheSame -images $(ROTATIONS)

# A folder of cases: images/, senders/, clients/.
CASES ?=

.PHONY: cases
cases: build ## send the images in the folder CASES to a local mode and print each answer with the expected one
	go -C test build -o ../bin/cases ./cases
	bin/cases bin/imageflow-local "$(CASES)"

.PHONY: hostile
hostile: setup ## attack every role under the memory limit of its manifest: no role is killed, all serve, the p99 of a normal caller stays below 3 times its quiet value (root)
	go -C test test ./scenario -count=1 -v -timeout 30m -races=false -run TestRolesLiveUnderAttack -hostile

.PHONY: memory
memory: setup ## measure the memory of each pair of formats at its limit, in a cgroup, and compare it with the footprint (root, about 20 minutes)
	go test ./internal/imaging -count=1 -v -timeout 2h -run TestFootprintHolds -memory.all -memory.budget 805306368 -memory.pixels 80000000

.PHONY: fuzz
fuzz: setup ## let the parsers read what nobody would write, FUZZTIME=10m each
	for target in FuzzParseHeader FuzzPixels; do
		go test -tags fuzz ./internal/imaging -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME)
	done

.PHONY: triton
triton: $(TRITON)/stamp ## fetch Triton's own server for make triton-test (160 MB)

# The server finds the stub of its Python backend beside the backend only.
$(TRITON)/stamp:
	@echo "fetching Triton's server (once) ..."
	rm -rf $(@D)
	python3 -m venv $(@D)/venv
	$(@D)/venv/bin/pip install --quiet --disable-pip-version-check \
		nvidia-pytriton==$(PYTRITON) tritonclient==$(TRITONCLIENT) onnxruntime==$(ORT_VERSION)
	version=$$($(@D)/venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	ln -s venv/lib/python$$version/site-packages $(@D)/packages
	ln -s packages/pytriton/tritonserver/bin/tritonserver $(@D)/tritonserver
	mkdir -p $(@D)/backends/python
	ln -s -t $(@D)/backends/python ../../packages/pytriton/tritonserver/backends/python/{libtriton_python.so,triton_python_backend_utils.py} \
		../../packages/pytriton/tritonserver/python_backend_stubs/$$version/triton_python_backend_stub
	touch $@

.PHONY: triton-test
triton-test: setup triton proto-tools ## run the tests of inference on Triton's own server, and compare our copy of its protocol with its client's
	@export PATH=$(TOOLS):$$PATH
	PYTHONPATH= $(TRITON)/venv/bin/python internal/testing/triton/protocol.py > .cache/triton.binpb
	buf build --path proto/inference -o .cache/inference.binpb
	buf breaking .cache/triton.binpb --against .cache/inference.binpb --config '{"version":"v2","breaking":{"use":["WIRE","FIELD_NO_DELETE","FIELD_SAME_NAME","FIELD_SAME_TYPE","PACKAGE_MESSAGE_NO_DELETE","PACKAGE_SERVICE_NO_DELETE","RPC_NO_DELETE"]}}'
	echo "protocol: what we know of it is as Triton's client has it"
	TRITON_HOME=$(TRITON) go test -count 1 -run 'Triton|Backends' -bench Backends -benchtime 200x ./internal/inference ./functions/detect ./cmd/internal/role

$(HELDOUT)/stamp:
	@echo "fetching onnxruntime for Python (once) ..."
	rm -rf $(@D)
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check onnxruntime==$(ORT_VERSION) numpy==2.2.6 pillow==12.0.0
	touch $@

.cache/heldout/heldout.json: $(HELDOUT)/stamp $(addprefix $(MODEL)/,evaluate.py scenes.py render.py shapes.py)
	@echo "rendering the held-out pictures ..."
	$(HELDOUT)/bin/python $(MODEL)/evaluate.py --render $(@D)

.PHONY: heldout
heldout: setup .cache/heldout/heldout.json ## score the demo model on 300 held-out pictures, by the service's own code and by a Python reference
	@$(HELDOUT)/bin/python $(MODEL)/evaluate.py --pictures .cache/heldout/heldout.json --out .cache/heldout/reference.json >/dev/null
	go test ./functions/detect -count=1 -v -run HeldOutScore -heldout $(CURDIR)/.cache/heldout

.PHONY: setup
setup: ## install or fetch what the build needs: a C compiler, libvips, ONNX Runtime
	@hack/setup.sh $(ORT)

.PHONY: proto
proto: proto-tools ## generate the Go code and the OpenAPI description of the contract
	@rm -f proto/imageflow/v1/*.go proto/inference/*.go
	PATH=$(TOOLS):$$PATH buf generate

.PHONY: check-proto
check-proto: proto-tools ## lint the contract, compare it with the one it must stay compatible with, and find drift of the generated code
	@export PATH=$(TOOLS):$$PATH
	buf format --diff --exit-code proto
	buf lint
	buf build --path proto/imageflow -o .cache/contract.binpb
	buf breaking .cache/contract.binpb --against test/contract/imageflow.proto --config buf.yaml
	rm -rf .cache/generated && mkdir -p .cache/generated
	buf generate -o .cache/generated
	{ diff -r --exclude='*.proto' --exclude=openapi.yaml .cache/generated/proto proto &&
		diff .cache/generated/$(OPENAPI) $(OPENAPI); } || { echo "the generated code is stale: run make proto" >&2; exit 1; }
	echo "contract: lint, compatibility and generated code are fine"

.PHONY: proto-tools
proto-tools: $(TOOLS)/stamp-$(BUF)-$(PROTOC_GEN_GO)-$(PROTOC_GEN_GO_GRPC)-$(GRPC_GATEWAY)-$(PROTOC_GEN_OPENAPI) .cache/proto/stamp

$(TOOLS)/stamp-%:
	@echo "building buf and the generators (once) ..."
	export GOBIN=$(TOOLS)
	go install github.com/bufbuild/buf/cmd/buf@$(BUF)
	go install google.golang.org/protobuf/cmd/protoc-gen-go@$(PROTOC_GEN_GO)
	go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@$(PROTOC_GEN_GO_GRPC)
	go install github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway@$(GRPC_GATEWAY)
	go install github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv2@$(PROTOC_GEN_OPENAPI)
	touch $@

$(TOOLS)/stamp-minio-$(MINIO):
	@echo "building MinIO for the tests (some ten minutes, once) ..."
	GOBIN=$(TOOLS) go install github.com/minio/minio@$(MINIO)
	touch $@

# The imported .proto files, from the Go modules that carry them.
.cache/proto/stamp:
	@where() { cd / && go mod download -json "$$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'; }
	validate=$$(where $(VALIDATE_PROTO)); google=$$(where $(GOOGLE_PROTO))
	install -D -m 644 -t .cache/proto/buf/validate $$validate/proto/protovalidate/buf/validate/validate.proto
	install -D -m 644 -t .cache/proto/google/api $$google/third_party/googleapis/google/api/{annotations,http}.proto
	touch $@

# Images are built by docker where its daemon answers, else by buildah, and named
# such that Knative looks for them in no registry. IMAGE_FLAGS names the bases.
TAG ?= $(shell git describe --tags --always --dirty)
IMAGE_TARGETS ?= plain detect
IMAGES_DIR ?= .cache/images
ENGINE ?= $(if $(shell docker info >/dev/null 2>&1 && echo yes),docker,buildah)
build-docker := docker build
build-buildah := buildah bud --isolation=chroot --network=host --pull=false --layers
images := $(patsubst imageflow-plain,imageflow,$(addprefix imageflow-,$(IMAGE_TARGETS)))

.PHONY: image
image: $(addprefix image-,$(IMAGE_TARGETS)) ## build the images with docker or buildah, as dev.local/imageflow and -detect, and print their sizes
	@for name in $(images); do
		echo "dev.local/$$name:$(TAG) $$($(ENGINE) images --format '{{.Size}}' dev.local/$$name:$(TAG) | sed -n 1p)"
	done

image-%: Dockerfile
	$(build-$(ENGINE)) --target $* -t dev.local/$(patsubst imageflow-plain,imageflow,imageflow-$*):$(TAG) \
		--label org.opencontainers.image.version=$(TAG) \
		--label org.opencontainers.image.revision=$$(git rev-parse HEAD) \
		$(if $(GOPROXY),--build-arg GOPROXY=$(GOPROXY)) $(IMAGE_FLAGS) .

.PHONY: image-archive
image-archive: image ## write the images as docker archives into IMAGES_DIR
	@mkdir -p $(IMAGES_DIR)
	for name in $(images); do
		image=dev.local/$$name:$(TAG); archive=$(IMAGES_DIR)/$$name.tar
		rm -f $$archive
		case $(ENGINE) in
			docker) docker save -o $$archive $$image ;;
			*) buildah push --quiet $$image docker-archive:$$archive:$$image ;;
		esac
		echo $$archive
	done

# What is deployed, and by which command an image archive reaches the nodes where
# no registry does, such as ../shared/cluster/load-image.sh.
OVERLAY ?= config/overlays/test
LOAD ?=

.PHONY: deploy
deploy: build ## deploy OVERLAY with the images of TAG to the cluster of kubectl's context, and tell what is ready and what is missing
	@$(if $(LOAD),$(LOAD) $(images:%=$(IMAGES_DIR)/%.tar))
	kubectl patch configmap -n knative-serving config-features --patch-file config/cluster/config-features.yaml
	if [ -x $(OVERLAY)/secrets.sh ]; then $(OVERLAY)/secrets.sh; fi
	kubectl kustomize $(OVERLAY) | sed -E 's#(dev.local/imageflow[a-z-]*):dev$$#\1:$(TAG)#' | kubectl apply -f -
	bin/imageflow doctor --wait 5m

# The stories that need no system of their own, and what only a cluster shows.
E2E := TestUploadBecomesThreeOutputs|TestWhatIsNoPictureFails|TestErrorTable|TestNineCallsByTheContract|TestWorkflowBodiesChain|TestBytesInBytesOut|TestEventIsAnsweredByTheNext|TestPipelines|TestUploadAndPictureBack|TestOutputsStartNoChain|TestForgeries|TestOnCluster

.PHONY: e2e
e2e: setup ## run the stories on the cluster of kubectl's context; it empties the buckets there
	go -C test test ./scenario -count=1 -v -timeout 30m -races=false -cluster -run '^($(E2E))'

.PHONY: clean
clean: ## remove what was built here; the data of local mode stays
	rm -rf bin .cache coverage.out

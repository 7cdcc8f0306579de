# ImageFlow. `make help` lists the targets; long recipes are scripts in hack/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

# Commands of the module test/.
TOOLS := bin/benchchain bin/benchindex bin/benchserver bin/cases bin/corpus bin/exporttest bin/load

.PHONY: help setup minio demo-models demo-models-test models-test build run test test-short ci lint vulncheck proto check-proto monitoring-test bench \
	bench-chain bench-index bench-server load flood crash backfill soak hostile memory fuzz sanitize heldout cases corpus export-test stores-test peers pictures trace triton-test hooks-test clients-test console-test func-test console-pictures bench-console \
	image image-archive reproducible reproducible-image manifests release deploy kn e2e observe scale clean $(TOOLS)

# Files that are downloaded or built once and shared by every clone of this user.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/imageflow
export CACHE

# The library that inference loads, and the MinIO that tests run against.
ORT := $(CACHE)/onnxruntime-$(shell hack/onnxruntime.sh)-$(shell uname -m)
export ONNXRUNTIME_LIB := $(ORT)/libonnxruntime.so.1
export MINIO_BINARY := $(CACHE)/bin/minio

# The detectors for photographs: run MODEL=faces or coco.
DEMO_MODELS := $(CACHE)/demo-models
ifneq ($(and $(filter run,$(MAKECMDGOALS)),$(filter-out faces coco,$(MODEL))),)
$(error MODEL=$(MODEL) is unknown: it can be faces or coco. For models of your own see functions/detect/README.md)
endif

# The parameters of targets: the image of run (none if empty), the numbers of flood, crash and backfill, the lengths
# of soak and fuzz, the size of bench-index, and the overlay and tag of deploy; LOAD is a command that copies image archives to the nodes
# of a cluster without a registry. Those without a default: UPGRADE_TAG, PACKAGES, BASE, CASES, DIR, FLAGS.
IMAGE ?= $(or $(PHOTOGRAPH_$(MODEL)),test/images/sample.jpg)
PHOTOGRAPH_faces := $(DEMO_MODELS)/photographs/astronaut.png
PHOTOGRAPH_coco := $(DEMO_MODELS)/photographs/coffee.png
IMAGES ?= 500
KILLS ?= 10
ARCHIVE ?= 5000
UPLOADS ?= 10000
SOAK ?= 10000
ROTATIONS ?= 2000
OBJECTS ?= 10000
FUZZTIME ?= 10m
TAG ?= $(shell git describe --tags --always --dirty)
OVERLAY ?= config/overlays/test
export TAG OVERLAY LOAD UPGRADE_TAG IMAGE_TARGETS IMAGE_FLAGS IMAGES_DIR PLATFORM RELEASE_DIR ENGINE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install or fetch what the build needs: a C compiler, libvips, ONNX Runtime
	@hack/setup.sh $(ORT)

minio: ## build the MinIO that tests run against (about ten minutes, once)
	@hack/minio.sh $(MINIO_BINARY)

demo-models: ## fetch and convert the detectors for photographs, faces and coco (once)
	@hack/setup.sh $(ORT) models
	hack/demo-models.sh $(DEMO_MODELS)

build: setup ## build the commands into bin/; bin/kn-imageflow is the plugin of kn
	@echo "building (the first time takes some minutes) ..."
	go build -o bin/ ./cmd/...
	go -C cmd/kn-imageflow build -o ../../bin/

$(TOOLS): build
	@go -C test build -o ../$@ ./$(@F)

run: build $(if $(MODEL),demo-models) ## set everything up and run the whole chain on this machine; IMAGE=path sends your own image, MODEL=faces or coco detects in photographs, FLAGS=--help lists settings
	@$(if $(MODEL),export DEFAULT_MODEL=$(MODEL))
	exec bin/imageflow-local $(if $(MODEL),--models "$(DEMO_MODELS)/models") $(if $(IMAGE),--image "$(IMAGE)") $(FLAGS)

# Checks

test: setup minio check-proto ## run lint and every test that this machine can run, with the race detector, and list the other tests
	@hack/test.sh

test-short: setup ## run the tests that need no MinIO and no built commands: under a minute once compiled
	@hack/test-short.sh

ci: ## run what CI runs
	@.ci/run

lint: setup ## check style, length and common mistakes; PACKAGES=./internal/job/... checks only these packages
	@hack/lint.sh $(PACKAGES)

vulncheck: setup ## report known vulnerabilities in the modules that the commands link; needs the network
	@hack/vulncheck.sh

proto: ## generate the Go code and the files at /proto and /openapi.json from the contract
	@hack/proto.sh generate

check-proto: ## lint the contract, check its compatibility, and find stale generated code
	@hack/proto.sh check

monitoring-test: setup ## test the alerts with promtool and every panel of the dashboard on a real Prometheus
	@hack/monitoring.sh

# Measurements

bench: setup minio ## run the benchmarks: packages, resize beside vips_thumbnail and imagor, chain, telemetry; BASE=path only compares resizes
	@hack/bench.sh $(if $(BASE),"$(abspath $(BASE))")

bench-chain: bin/benchchain ## measure the chain in local mode: CPU per image by part, images per second, latency; BASE=path compares
	$< -base "$(BASE)" $(FLAGS)

bench-server: bin/benchserver minio ## measure resize as a server with MinIO, and the CPU of both; BASE=path compares with another build, FLAGS=--help lists settings
	$< $(if $(BASE),--base "$(BASE)") $(FLAGS)

bench-index: bin/benchindex minio ## measure sweeps and lookups on MinIO with OBJECTS="10000,1000000" objects (8 KiB of disk each)
	$< -imageflow bin/imageflow -objects "$(OBJECTS)" $(FLAGS)

bench-console: setup ## measure how soon a page of the console shows an event, its work for that, and the memory of the console (root; installs Chromium)
	@hack/setup.sh $(ORT) browser
	hack/console-test.sh -run TestSpeed_ -measure 1m $(FLAGS)

load: bin/load ## send images at constant rates and check the service levels; FLAGS="--gateway URL" for a deployment
	$< $(FLAGS)

flood: bin/load ## put UPLOADS=10000 small images into local mode at once, and watch them complete; FLAGS="--watchers 1000" adds watches
	$< --flood $(UPLOADS) $(FLAGS)

crash: setup minio ## check that nothing is lost: IMAGES=500 through a real MinIO while every part is killed KILLS=10 times
	@hack/crash.sh $(IMAGES) $(KILLS)

backfill: setup minio ## kill and resume a backfill of ARCHIVE=5000 images on a real MinIO, and measure live uploads beside one
	@hack/backfill.sh $(ARCHIVE)

soak: setup minio ## check that memory stays bounded over SOAK=10000 mixed requests and that ROTATIONS=2000 parallel outputs are equal
	@hack/soak.sh $(SOAK) $(ROTATIONS)

hostile: setup ## attack every role under the memory limit of its manifest and check that it keeps serving (root)
	go -C test test ./scenario -count=1 -v -races=false -timeout 30m -run TestRolesLiveUnderAttack -hostile

memory: setup ## measure the memory of each pair of formats in a cgroup and compare it with the footprint (root, 20 minutes)
	go test ./internal/imaging -count=1 -v -timeout 2h -run TestFootprintHolds -memory.all -memory.budget 805306368 -memory.pixels 80000000

fuzz: setup ## fuzz the image parsers and decoders, FUZZTIME=10m each
	@hack/fuzz.sh $(FUZZTIME)

sanitize: setup ## run the hostile files and FUZZTIME=10m of fuzzing on imaging with AddressSanitizer and UBSan
	@hack/sanitize.sh $(FUZZTIME)

heldout: setup ## score the demo model on 300 held-out images, by the service's code and by a Python reference
	@hack/heldout.sh

demo-models-test: build demo-models ## compare the detectors for photographs with the packages that they come from (needs npm, not in CI)
	@hack/demo-models-test.sh $(DEMO_MODELS)

models-test: build demo-models ## export models of each family and compare what local mode finds with what Ultralytics or the family's code finds (Python 3.11, Debian; not in CI)
	@hack/models-test.sh $(DEMO_MODELS)/photographs

cases: bin/cases ## send the images in the folder CASES to local mode and print each answer beside the expected one
	$< bin/imageflow-local "$(CASES)"

corpus: bin/corpus ## send every image file below DIR="FOLDER ..." to local mode and compare the answers with Pillow and libvips
	@hack/corpus.sh $(DIR)

hooks-test: build ## send the webhooks of an upload to a receiver that verifies them with the package standardwebhooks for Python
	@hack/hooks-test.sh

func-test: build ## build the function in func/ with func of Knative 1.21 to 1.23, run it and call it (builds func from its Go modules, once)
	@hack/func.sh

clients-test: build ## try clients of S3, gRPC, HTTP and CloudEvents with local mode, and print client, operation and outcome (needs npm and Python's venv; installs rclone)
	@hack/setup.sh $(ORT) clients
	@hack/clients-test.sh $(SCRIPTS)

console-test: setup ## use the console in a real Chromium, as people do, and check its pages with axe-core (needs npm; installs Chromium)
	@hack/setup.sh $(ORT) browser
	@hack/console-test.sh $(FLAGS)

console-pictures: setup ## make the pictures of the console's pages in docs/console, light and dark
	@hack/setup.sh $(ORT) browser
	@hack/console-test.sh -run TestPictures -pictures "$(CURDIR)/docs/console"

export-test: bin/exporttest ## detect objects in IMAGES=500 images, export them, and read the datasets with pycocotools and Ultralytics
	@hack/exporttest.sh $(IMAGES)

stores-test: build minio ## run the event path and the tests of the store layer on MinIO, versitygw, SeaweedFS and Garage (STORES=...; builds them, 20 minutes of CPU, once; needs cargo)
	@hack/stores-test.sh $(STORES)

peers: setup ## print which formats ImageFlow, imagor and sharp read and write, by trying them (needs npm)
	@hack/peers.sh

pictures: setup ## generate test/pictures, the page that shows every fit, gravity, filter and encoding
	go -C test run ./pictures images/sample.jpg pictures

trace: setup ## send the trace of an upload to a real Jaeger and draw it in internal/telemetry/trace.svg (20 minutes, once)
	@hack/trace.sh

# Other systems

triton-test: setup ## run the tests of inference on Triton's own server (160 MB, once)
	@hack/triton.sh

image: ## build the images dev.local/imageflow and -detect with docker or buildah, and print their sizes; PLATFORM=linux/arm64 builds for arm64
	@hack/image.sh build

image-archive: image ## write the images as docker archives into IMAGES_DIR
	@hack/image.sh archive

reproducible: setup ## build the commands of the last commit twice, in different folders and without a cache, and compare them to the bit
	@hack/reproducible.sh commands

reproducible-image: ## build the image plain of the last commit twice without caches, and compare its packages, modules, binary and libraries
	@hack/reproducible.sh image

manifests: ## write the manifests of OVERLAY with the images of TAG into bin/install.yaml, for kubectl apply -f
	@mkdir -p bin
	hack/manifests.sh >bin/install.yaml

release: image ## write images, their SBOM (SPDX) and provenance (SLSA), install.yaml and checksums into RELEASE_DIR, and an archive of it
	@hack/release.sh

deploy: build ## deploy OVERLAY with the images of TAG to the cluster of kubectl's context, and report missing parts
	@hack/deploy.sh

kn: ## build Knative's kn for tests from its client packages into bin/kn (a minute, once)
	go -C test/kncli build -o ../../bin/kn .

e2e: build kn ## run the scenarios on the cluster of kubectl's context; this empties its buckets; UPGRADE_TAG=tag upgrades from images of that tag
	@hack/e2e.sh

observe: setup ## send the trace of an upload on the cluster of kubectl's context to a real Jaeger, and scrape the pods with a real Prometheus (builds both, once); this empties its buckets
	@hack/observe.sh

scale: setup ## measure scaling out and in on the cluster of kubectl's context, with the image of IMAGE_TARGETS="plain detect standin"; this empties its buckets
	go -C test test ./scenario -count=1 -v -timeout 30m -races=false -cluster -run '^TestScale(Out|In|Costs)$$'

clean: ## remove build outputs and caches in this folder; keeps the data of local mode
	rm -rf bin .cache coverage.out

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/cmd/internal/role"
)

// TestShippedTriggers_haveValidParameters checks every step in eventing/.
func TestShippedTriggers_haveValidParameters(t *testing.T) {
	t.Setenv("HOOK_URLS", "shop=https://shop.example/ progress=https://shop.example/")
	secret := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	t.Setenv("HOOK_SECRETS", "shop="+secret+" progress="+secret)
	const examples = "../../eventing/examples"
	all := folders{"../../eventing", examples, examples + "/webhooks", examples + "/presets"}
	m, err := all.manifests(role.PresetsFile{File: "../../config/components/presets/presets.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for step := range m.Steps() {
		if parameterCheck(step.Service) != nil {
			checked++
		}
	}
	if checked != 19 {
		t.Errorf("%d steps were checked, want 19", checked)
	}
}

const oneStep = `
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default, namespace: image-processing}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: step, namespace: image-processing}
spec:
  broker: default
  subscriber:
    ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: %s}
    uri: %s
`

func TestManifests_invalidParameters(t *testing.T) {
	const resize, detect, filter = "resize-grpc-service", "ai-detection-grpc-service", "filter-grpc-service"
	for _, c := range []struct{ service, uri, names string }{
		{resize, "/?target_width=99999", "target_width: "},
		{resize, "/?target_width=800&target_heigth=600", "target_heigth: no such parameter"},
		{resize, "/?target_width=wide", "target_width: "},
		{resize, "/", "target_width and target_height"},
		{resize, "/?target_width=800&quality=SUPERB", "quality: "},
		{resize, "/resize?target_width=800", "not at /resize"},
		{detect, "/?confidence_threshold=2", "confidence_threshold: "},
		{detect, "/?nms_threshold=NaN", "nms_threshold: "},
		{filter, "/?intensity=1", "filter_type: "},
		{filter, "/?filter_type=FILTER_TYPE_BRIGHTNESS&intensity=3", "intensity: "},
		{filter, "/?filter_type=FILTER_TYPE_SHARPEN&intensity=1&parameters[sigma]=9", "parameters: "},
		{detect, "/?draw_boxes=true", ""},
		{detect, "/?crops.max_count=5&crops.margin=0.1&crops.classes=0", ""},
		{detect, "/?crops.max_count=101", "crops.max_count: "},
		{detect, "''", ""},
		{"grpc-gateway", "/?pipeline=avatar", "PRESETS_FILE has no pipelines"}, {"grpc-gateway", "/?x=1", "pipeline=NAME"},
		{resize, "/?preset=card", "PRESETS_FILE has no presets"},
		{"notify", "/?hook=shop", "HOOK_URLS names none"}, {"notify", "/", "hook=NAME"},
		{"bridge", "/completed?target_width=99999", `"target_width": no such parameter`},
		{"bridge", "/completed?of=resize&of=filter", "of: given more than once"},
		{"somebody-elses", "/?target_width=99999", ""},
	} {
		dir := t.TempDir()
		text := fmt.Sprintf(oneStep, c.service, c.uri)
		if err := os.WriteFile(filepath.Join(dir, "step.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := folders{dir}.manifests(role.PresetsFile{})
		want := "step.yaml: Trigger image-processing/step: spec.subscriber.uri: "
		switch {
		case c.names == "":
			if err != nil {
				t.Errorf("%s%s: %v", c.service, c.uri, err)
			}
		case err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), c.names):
			t.Errorf("%s%s: got %v, want an error with %q and %q", c.service, c.uri, err, want, c.names)
		}
	}
}

// TestEventingFlag_repeatedOrWithCommas adds up all folders.
func TestEventingFlag_repeatedOrWithCommas(t *testing.T) {
	for _, args := range [][]string{
		{"--eventing", "../../eventing", "--eventing", "../../eventing/examples"},
		{"--eventing", "../../eventing,../../eventing/examples"},
	} {
		f := flag.NewFlagSet("", flag.ContinueOnError)
		given := eventingFlag(f)
		if err := f.Parse(args); err != nil {
			t.Fatal(err)
		}
		if m, err := given.manifests(role.PresetsFile{}); err != nil || len(slices.Collect(m.Steps())) != 19 {
			t.Errorf("%q: %v", args, err)
		}
	}
	_, err := folders{"../../eventing", "nowhere"}.manifests(role.PresetsFile{})
	if err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a folder that is missing: %v", err)
	}
}

const sizes = `
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default, namespace: image-processing}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: size-320, namespace: image-processing}
spec:
  broker: default
  filters: [{prefix: {type: "com.amazonaws.s3.ObjectCreated:"}}]
  subscriber:
    ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: resize-grpc-service}
    uri: /?target_width=320
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: size-640, namespace: image-processing}
spec:
  broker: default
  filters: [{prefix: {type: "com.amazonaws.s3.ObjectCreated:"}}]
  subscriber:
    ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: resize-grpc-service}
    uri: /?target_width=640%s
`

// TestManifests_triggersWithTheSameOutput: two Triggers that would overwrite each other's output
// are rejected.
func TestManifests_triggersWithTheSameOutput(t *testing.T) {
	for extra, refused := range map[string]bool{
		"": true, "&output_image.content_type=image/webp": true, "&output_image.bucket=small": false,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "sizes.yaml"), fmt.Appendf(nil, sizes, extra), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := folders{dir}.manifests(role.PresetsFile{})
		if (err != nil) != refused {
			t.Errorf("%q: %v", extra, err)
		}
		for _, want := range []string{"sizes.yaml: Trigger image-processing/size-320", "size-640", "output_image.bucket"} {
			if refused && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%q: %v, want %q in it", extra, err, want)
			}
		}
	}
}

// TestManifests_pipelineOverStep: a pipeline and a step that write the same name are refused.
func TestManifests_pipelineOverStep(t *testing.T) {
	dir := t.TempDir()
	second := strings.Replace(strings.SplitN(oneStep, "---", 2)[1], "name: step", "name: other", 1)
	const onUploads = "  filters:\n    - prefix: {type: com.amazonaws.s3.ObjectCreated}\n"
	const onResizes = "  filters:\n    - exact: {type: dev.imageflow.resize.completed.v1}\n"
	pipeline := fmt.Sprintf(oneStep, "grpc-gateway", "/?pipeline=avatar\n"+onUploads)
	const onFilters = "  filters:\n    - exact: {type: dev.imageflow.filter.completed.v1}\n"
	for _, c := range []struct{ service, uri, want string }{
		{"filter-grpc-service", "/?preset=crisp", "filter-grpc-service writes"},
		{"filter-grpc-service", "/?preset=crisp\n" + onResizes, ""}, // the pipeline's resize sends no event
		{"resize-grpc-service", "/?preset=card\n" + onFilters, "resize-grpc-service then writes"},
		{"ai-detection-grpc-service", "/\n" + onUploads, ""},
	} {
		text := pipeline + "---" + fmt.Sprintf(second, c.service, c.uri)
		if err := os.WriteFile(filepath.Join(dir, "step.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := folders{dir}.manifests(role.PresetsFile{File: "../../config/components/presets/presets.yaml"})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.service, err, c.want)
		}
	}
}

// TestCheckOutputs: a step may write only to buckets in which the processors may write.
func TestCheckOutputs(t *testing.T) {
	dir := t.TempDir()
	text := fmt.Sprintf(oneStep, "resize-grpc-service", "/?target_width=8&output_image.bucket=archive")
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := folders{dir}.manifests(role.PresetsFile{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		buckets, writeTo string
		ok               bool
	}{
		{"", "", false}, {"other", "", false}, {"archive/in", "", true}, {"archive", "files", false}, {"", "archive", true},
		{"", "*", true},
	} {
		t.Setenv("WRITE_TO", c.writeTo)
		err := (&settings{bucket: "files", buckets: c.buckets}).checkOutputs(m)
		if (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), `"archive", which is not in WRITE_TO`) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

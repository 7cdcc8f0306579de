package dataset_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/internal/dataset"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const bucket = "images"

// detection returns a response of detect for an image of 640×480 pixels, as the side-car has it.
func detection(key string, boxes ...*imageflowv1.Detection) *imageflowv1.DetectionResponse {
	return &imageflowv1.DetectionResponse{
		Result: &imageflowv1.ProcessingResult{Metadata: map[string]string{
			"execution_id": execution.ID(key), "source_bucket": bucket, "source_key": key,
		}},
		Detections: boxes,
		Metadata: &imageflowv1.DetectionMetadata{
			ModelName: "yolo", ModelVersion: "1", ImageWidth: 640, ImageHeight: 480,
		},
	}
}

// found returns a box of a class: 0 is a dog, 2 a cat.
func found(class int32, confidence, x1, y1, x2, y2 float32) *imageflowv1.Detection {
	names := map[int32]string{0: "dog", 2: "cat"}
	return &imageflowv1.Detection{
		ClassId: class, ClassName: names[class], Confidence: confidence,
		Bbox: &imageflowv1.BoundingBox{X1: x1, Y1: y1, X2: x2, Y2: y2},
	}
}

// put writes a side-car where detect writes it.
func put(t *testing.T, store *objects.Store, r *imageflowv1.DetectionResponse) {
	t.Helper()
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	putText(t, store, r.GetResult().GetMetadata()["execution_id"]+"_ai-detection.json", string(text))
}

func putText(t *testing.T, store *objects.Store, key, text string) {
	t.Helper()
	m := execution.ObjectMetadata("id", bucket, key)
	m[execution.StepMetadata] = "detect"
	if _, err := store.Put(t.Context(), bucket, key, "application/json", []byte(text), m); err != nil {
		t.Fatal(err)
	}
}

// local starts a store with these side-cars.
func local(t *testing.T, all ...*imageflowv1.DetectionResponse) *objects.Store {
	t.Helper()
	_, store := stores.Start(t, stores.Local, bucket)
	for _, r := range all {
		put(t, store, r)
	}
	return store
}

// result is what an export gave.
type result struct {
	dataset.Counts
	err    error
	out    string   // folder
	stream string   // without a folder
	failed []string // "key: error"
}

// export exports a bucket into a new folder, or a stream for an empty format of options.
func export(t *testing.T, store *objects.Store, o dataset.Options) (r result) {
	t.Helper()
	var stream bytes.Buffer
	o.Store, o.Bucket, o.Stream = store, bucket, &stream
	o.Progress = func(dataset.Counts) {}
	o.Failed = func(key string, err error) { r.failed = append(r.failed, fmt.Sprintf("%s: %v", key, err)) }
	r.Counts, r.err = dataset.Export(context.Background(), o)
	r.out, r.stream = o.Out, stream.String()
	return r
}

// inFolder exports into a new folder, without errors.
func inFolder(t *testing.T, store *objects.Store, o dataset.Options) result {
	t.Helper()
	o.Out = filepath.Join(t.TempDir(), "out")
	r := export(t, store, o)
	if r.err != nil || len(r.failed) > 0 {
		t.Fatalf("%v, failed %q", r.err, r.failed)
	}
	return r
}

// read returns a file of the folder.
func (r result) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.out, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func wantText(t *testing.T, what, got, want string) {
	t.Helper()
	if strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("%s is\n%s\nwant\n%s", what, got, want)
	}
}

package job_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/color"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/functions/detect"
	"imageflow.dev/functions/filter"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// steps run jobs of all processors.
type steps struct {
	t       *testing.T
	runners map[string]*job.Runner
}

// demoModels is relative to the working directory that the tests start in.
var demoModels = func() string { dir, _ := os.Getwd(); return dir + "/../../functions/detect/model/repository" }()

func newSteps(t *testing.T) *steps {
	t.Helper()
	folder, err := inference.Open(t.Context(), demoModels, inference.Options{
		Library: os.Getenv("ONNXRUNTIME_LIB"), Threads: 1, Accept: detect.Accept,
	})
	if err != nil {
		t.Fatal(err)
	}
	models := detect.NewModels(folder, "yolo")
	t.Cleanup(func() { _ = models.Close() })
	s := &steps{t, map[string]*job.Runner{}}
	for _, p := range []processor{resize.Processor, detect.New(models), filter.Processor} {
		s.runners[p.Name] = job.NewRunner(p, store, job.NewAdmission(roomy), config)
	}
	return s
}

func (s *steps) try(name string, req functions.Request) (functions.Response, error) {
	return s.runners[name].Run(context.WithoutCancel(s.t.Context()), req, job.FailFast)
}

// run runs a step, and again: the second one finds the outputs of the first, and answers the same.
func (s *steps) run(name string, req functions.Request) functions.Response {
	s.t.Helper()
	first, err := s.try(name, req)
	if err != nil {
		s.t.Fatal(err)
	}
	again, err := s.try(name, proto.Clone(req).(functions.Request))
	if err != nil {
		s.t.Fatal(err)
	}
	clear := func(r functions.Response) proto.Message {
		r = proto.Clone(r).(functions.Response)
		proto.Reset(r.GetResult())
		return r
	}
	if !proto.Equal(clear(first), clear(again)) {
		s.t.Errorf("%s answers %v, then %v", name, first, again)
	}
	return again
}

func (s *steps) resize(from, to *data, flip bool) *data {
	s.t.Helper()
	r := &request{InputImage: from, OutputImage: to, TargetWidth: 16}
	if flip {
		r.TargetWidth, r.Flip = 32, imageflowv1.Flip_FLIP_HORIZONTAL
	}
	return named(s.run("resize", r))
}

func (s *steps) detect(from, to, resized *data) *data {
	s.t.Helper()
	return named(s.run("detect", &imageflowv1.DetectionRequest{InputImage: from, OutputImage: to, ResizeMetadataRef: resized}))
}

func (s *steps) filter(from, to *data) *data {
	s.t.Helper()
	return named(s.run("filter", &imageflowv1.FilterRequest{
		InputImage: from, OutputImage: to, FilterType: imageflowv1.FilterType_FILTER_TYPE_BRIGHTNESS, Intensity: 0.1,
	}))
}

// named returns the name of an output in its version.
func named(resp functions.Response) *data {
	out := resp.GetResult().GetOutputImage()
	return &data{Bucket: out.GetBucket(), ObjectKey: out.GetObjectKey(), Etag: out.GetEtag()}
}

// sideCarOf returns the name of the side-car beside an output.
func sideCarOf(out *data) *data {
	return &data{Bucket: out.GetBucket(), ObjectKey: strings.TrimSuffix(out.GetObjectKey(), ".png") + ".json"}
}

// redact hides the objects of a side-car, and crop keeps them.
func (s *steps) redact(image, sideCar *data) error {
	_, err := s.try("filter", &imageflowv1.FilterRequest{
		InputImage: image, OutputImage: in("out/redacted.png"), FilterType: imageflowv1.FilterType_FILTER_TYPE_FILL,
		Redaction: &imageflowv1.Redaction{Detections: sideCar},
	})
	return err
}

func (s *steps) crop(image, sideCar *data) error {
	_, err := s.try("resize", &request{
		InputImage: image, OutputImage: in("out/cropped.png"), TargetWidth: 8,
		ObjectCrop: imageflowv1.ObjectCrop_OBJECT_CROP_ALL, Objects: &imageflowv1.Objects{Detections: sideCar},
	})
	return err
}

func (s *steps) place(image, sideCar *data) error {
	_, err := s.try("detect", &imageflowv1.DetectionRequest{
		InputImage: image, OutputImage: in("out/detected.png"), ResizeMetadataRef: sideCar,
	})
	return err
}

// TestRun_sideCarOfAnotherVersion: a side-car of a replaced image is refused for the new one, in words that name both, and
// also as a copy, which keeps only its content. One without names, and an image in the request, are compared by size.
func TestRun_sideCarOfAnotherVersion(t *testing.T) {
	s := newSteps(t)
	put(t, bucket, "v.png", pngOf(t, 32, 24))
	old := s.detect(in("v.png"), in("v-found.png"), nil)
	content, _, err := store.Get(t.Context(), bucket, sideCarOf(old).GetObjectKey(), "", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	put(t, bucket, "copy.json", content)
	if err := s.redact(in("v.png"), in("copy.json")); err != nil {
		t.Error(err)
	}
	put(t, other, "v.png", pngOf(t, 32, 24))
	for _, image := range []*data{{Bucket: other, ObjectKey: "v.png"}, in("v.png")} {
		if image.GetBucket() == "" {
			put(t, bucket, "v.png", append(pngOf(t, 32, 24), 0))
		}
		err = s.redact(image, &data{Bucket: bucket, ObjectKey: "copy.json"})
		wantKind(t, err, functions.Invalid, "redaction.detections")
		for _, part := range []string{`"v.png"`, bucket, "but the image is", "make one of it"} {
			if !strings.Contains(fmt.Sprint(err), part) {
				t.Errorf("%v does not contain %q", err, part)
			}
		}
	}
	if _, err := s.try("filter", &imageflowv1.FilterRequest{
		InputBytes: pngOf(t, 32, 24), FilterType: imageflowv1.FilterType_FILTER_TYPE_FILL,
		Redaction: &imageflowv1.Redaction{Detections: &data{Bucket: bucket, ObjectKey: "copy.json"}},
	}); err != nil {
		t.Error(err)
	}
	put(t, bucket, "older.json", without(t, content, "source", "output", "original"))
	if err := s.redact(in("v.png"), in("older.json")); err != nil {
		t.Error(err)
	}
	s.detect(in("v.png"), in("v-found.png"), nil)
	if err := s.redact(in("v.png"), sideCarOf(old)); err != nil {
		t.Errorf("after a new detection: %v", err)
	}
}

// without removes fields from the metadata of a side-car.
func without(t *testing.T, sideCar []byte, fields ...string) []byte {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(sideCar, &all); err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		delete(all["metadata"].(map[string]any), f)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRun_sideCarOfAnotherPage: a detection in one frame is refused for another one, and a detection in all frames is
// used for each.
func TestRun_sideCarOfAnotherPage(t *testing.T) {
	s := newSteps(t)
	put(t, bucket, "p.gif", gifOf(t, color.Palette{color.Gray{0}, color.Gray{99}, color.Gray{198}}))
	page := func(n int32) *data { return &data{ObjectKey: "p.gif", Page: n, Pages: 1} }
	for _, frames := range []int32{0, 1} {
		examined := &data{ObjectKey: "p.gif", Page: 1 - frames}
		found := s.run("detect", &imageflowv1.DetectionRequest{
			InputImage: examined, Frames: frames, OutputImage: in(fmt.Sprintf("p-%d.gif", frames)),
		})
		sideCar := in(fmt.Sprintf("p-%d.json", frames))
		if err := s.redact(page(1), sideCar); err != nil {
			t.Error(err)
		}
		err := s.redact(page(2), sideCar)
		if frames == 0 {
			wantKind(t, err, functions.Invalid, "redaction.detections")
		} else if err != nil {
			t.Error(err)
		}
		if err := s.redact(named(found), sideCar); err != nil {
			t.Error(err)
		}
	}
}

// TestRun_sideCarBytes: the side-car of a resize has the same bytes for the same request, and names the image and the output.
func TestRun_sideCarBytes(t *testing.T) {
	s := newSteps(t)
	etag := put(t, bucket, "s.png", pngOf(t, 32, 24))
	var before []byte
	for range 2 {
		out := s.resize(in("s.png"), in("s-small.png"), false)
		text, _, err := store.Get(t.Context(), bucket, "s-small.json", "", 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		m := &imageflowv1.ResizeMetadata{}
		if err := protojson.Unmarshal(text, m); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(m.GetOutput(), out) || !proto.Equal(m.GetSource(), &data{Bucket: bucket, ObjectKey: "s.png", Etag: etag}) {
			t.Errorf("it describes %v made of %v", m.GetOutput(), m.GetSource())
		}
		if before != nil && !bytes.Equal(before, text) {
			t.Errorf("got %s, before %s", text, before)
		}
		before = text
		for _, key := range []string{"s-small.png", "s-small.json"} {
			if err := store.Remove(t.Context(), bucket, key); err != nil {
				t.Fatal(err)
			}
		}
	}
}

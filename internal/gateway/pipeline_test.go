package gateway_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// run posts a pipeline that must succeed.
func (s *system) run(t *testing.T, body string) *imageflowv1.RunPipelineResponse {
	t.Helper()
	resp, text := ask(t, "POST", s.url+"/v1/pipeline", body)
	r := &imageflowv1.RunPipelineResponse{}
	if err := protojson.Unmarshal([]byte(text), r); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %.500s %v", resp.StatusCode, text, err)
	}
	return r
}

// results returns the results of the steps.
func results(r *imageflowv1.RunPipelineResponse) (all []*imageflowv1.ProcessingResult) {
	for _, step := range r.GetSteps() {
		step.ProtoReflect().Range(func(_ protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			all = append(all, v.Message().Interface().(interface {
				GetResult() *imageflowv1.ProcessingResult
			}).GetResult())
			return true
		})
	}
	return all
}

const three = `"steps":[{"resize":{"target_width":160}},{"detect":{"draw_boxes":true}},` +
	`{"filter":{"filter_type":"FILTER_TYPE_BLUR","intensity":1}}]`

// Every step reads the exact version that the previous step wrote. All outputs have the
// names of the contract.
func TestPipeline_byReference(t *testing.T) {
	s := start(t)
	source := s.put(t, "in/cat.jpg", jpegOf(t, 320, 240))
	r := s.run(t, `{"input_image":{"object_key":"in/cat.jpg"},`+three+`}`)
	all := results(r)
	if r.GetExecutionId() != "in/cat" || len(all) != 3 || len(r.GetOutputData()) > 0 || r.GetProcessingTimeSeconds() <= 0 {
		t.Fatalf("answered %v", r)
	}
	etag := source.ETag
	for i, want := range []string{"in/cat_resize.jpg", "in/cat_ai-detection.jpg", "in/cat_filter.jpg"} {
		out := all[i].GetOutputImage()
		if out.GetObjectKey() != want || out.GetBucket() != bucket || all[i].GetMetadata()["source_etag"] != etag ||
			all[i].GetMetadata()["execution_id"] != "in/cat" {
			t.Errorf("step %d: %v", i, all[i])
		}
		etag = out.GetEtag()
	}
	if out := r.GetOutputImage(); out.GetEtag() != etag || out.GetWidth() != 160 {
		t.Errorf("the output is %v", out)
	}
	if r.GetSteps()[0].GetResize().GetMetadata().GetOriginalWidth() != 320 ||
		r.GetSteps()[1].GetDetect().GetMetadata().GetModelName() != "yolo" ||
		r.GetSteps()[2].GetFilter().GetMetadata().GetIntensity() != 1 {
		t.Errorf("metadata is missing: %v", r)
	}
	if _, width := describe(t, s.get(t, "in/cat_filter.jpg")); width != 160 {
		t.Errorf("%d wide", width)
	}
}

// Nothing is stored, and the answer contains only the last image.
func TestPipeline_byBytes(t *testing.T) {
	s := start(t)
	image := base64.StdEncoding.EncodeToString(jpegOf(t, 320, 240))
	r := s.run(t, `{"input_bytes":"`+image+`","output_image":{"content_type":"image/png"},`+three+`}`)
	if format, width := describe(t, r.GetOutputData()); format != "png" || width != 160 ||
		r.GetOutputImage().GetContentType() != "image/png" {
		t.Errorf("%s of width %d, %v", format, width, r.GetOutputImage())
	}
	for i, result := range results(r) {
		if len(result.GetOutputData()) > 0 || result.GetOutputImage().GetWidth() != 160 ||
			result.GetMetadata()["execution_id"] != r.GetExecutionId() {
			t.Errorf("step %d: %v", i, result)
		}
	}
	if keys := s.keys(t); len(keys) > 0 {
		t.Errorf("stored: %q", keys)
	}
	r = s.run(t, `{"input_bytes":"`+image+`","execution_id":"x","output_image":{"bucket":"pictures"},"inline":true,`+three+`}`)
	if keys := s.keys(t); !slices.Equal(keys, []string{"x_filter.jpg"}) ||
		!bytes.Equal(r.GetOutputData(), s.get(t, "x_filter.jpg")) {
		t.Errorf("stored: %q, %d bytes inline", keys, len(r.GetOutputData()))
	}
}

// No step overwrites the output of another.
func TestPipeline_repeatsProcessor(t *testing.T) {
	s := start(t)
	s.put(t, "a.v1.jpg", jpegOf(t, 400, 40))
	const steps = `"steps":[{"resize":{"target_width":300}},{"resize":{"target_width":200}},` +
		`{"filter":{"filter_type":"FILTER_TYPE_BLUR","intensity":1}},{"resize":{"target_width":100}}]`
	for _, c := range []struct{ output, last string }{
		{``, "a.v1.jpg_resize-3.jpg"}, {`"output_image":{"content_type":"image/png"},`, "a.v1.jpg_resize-3.png"},
		{`"output_image":{"object_key":"out.jpeg"},`, "out.jpeg"},
	} {
		r := s.run(t, `{"input_image":{"object_key":"a.v1.jpg"},`+c.output+steps+`}`)
		for i, want := range []struct {
			key   string
			width int
		}{{"a.v1.jpg_resize.jpg", 300}, {"a.v1.jpg_resize-2.jpg", 200}, {"a.v1.jpg_filter.jpg", 200}, {c.last, 100}} {
			result := results(r)[i]
			if got := result.GetOutputImage().GetObjectKey(); got != want.key {
				t.Errorf("step %d wrote %q, want %q", i, got, want.key)
			}
			if _, width := describe(t, s.get(t, want.key)); width != want.width {
				t.Errorf("%s is %d wide, want %d", want.key, width, want.width)
			}
		}
	}
	if keys := s.keys(t); !slices.Contains(keys, "a.v1.jpg_resize.json") ||
		!slices.Contains(keys, "a.v1.jpg_resize-2.json") || !slices.Contains(keys, "a.v1.jpg_resize-3.json") {
		t.Errorf("side-cars are missing: %q", keys)
	}
}

// The answer contains the written image. A second run finds all outputs.
func TestPipeline_inline(t *testing.T) {
	s := start(t)
	s.put(t, "cat.jpg", jpegOf(t, 320, 240))
	body := `{"input_image":{"object_key":"cat.jpg"},"inline":true,` + three + `}`
	first := s.run(t, body)
	if data := first.GetOutputData(); !bytes.Equal(data, s.get(t, "cat_filter.jpg")) {
		t.Errorf("%d bytes inline", len(data))
	}
	again := s.run(t, body)
	for i, result := range results(again) {
		if result.GetMetadata()["apply_ms"] != "" {
			t.Errorf("step %d ran again: %v", i, result)
		}
	}
	s.pipeline.Store, s.pipeline.Missing = nil, "no store here"
	if resp, text := ask(t, "POST", s.url+"/v1/pipeline", body); resp.StatusCode != http.StatusNotImplemented {
		t.Errorf("without a store: %d %s", resp.StatusCode, text)
	}
}

// The written image remains in the store.
func TestPipeline_inlineImageTooLarge(t *testing.T) {
	s := start(t)
	s.pipeline.MaxBytes = 100
	s.put(t, "cat.jpg", jpegOf(t, 320, 240))
	resp, text := ask(t, "POST", s.url+"/v1/pipeline",
		`{"input_image":{"object_key":"cat.jpg"},"inline":true,"steps":[{"resize":{"target_width":300}}]}`)
	var answer struct{ Message string }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || resp.StatusCode != http.StatusBadRequest ||
		answer.Message != fmt.Sprintf("inline: the image is larger than %d bytes", 100) {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if !slices.Contains(s.keys(t), "cat_resize.jpg") {
		t.Error("nothing was written")
	}
}

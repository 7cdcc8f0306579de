package scenario

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"testing"
)

// pipelined is the answer of a pipeline, with the fields that all steps have.
type pipelined struct {
	Message string // of an error
	ID      string `json:"execution_id"`
	Steps   []map[string]struct {
		Result struct {
			Output struct {
				Key  string `json:"object_key"`
				ETag string
			} `json:"output_image"`
			Metadata map[string]string
		}
	}
	Output struct {
		Key  string `json:"object_key"`
		Type string `json:"content_type"`
	} `json:"output_image"`
	Data []byte `json:"output_data"`
}

// pipeline posts a pipeline and returns the HTTP status and the answer.
func (s *system) pipeline(t *testing.T, body string) (int, pipelined) {
	t.Helper()
	resp, text := post(t, http.DefaultClient, s.url("gateway", "/v1/pipeline"), body, nil)
	var answer pipelined
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%s %.300s %v", resp.Status, text, err)
	}
	return resp.StatusCode, answer
}

// keys are the keys of the steps' outputs, in order.
func (p pipelined) keys() (keys []string) {
	for _, step := range p.Steps {
		for _, answer := range step {
			keys = append(keys, answer.Result.Output.Key)
		}
	}
	return keys
}

const chain = `"steps":[{"resize":{"target_width":800}},{"detect":{"draw_boxes":true}},` +
	`{"filter":{"filter_type":"FILTER_TYPE_BLUR","intensity":1}}]`

// TestPipelines: one call runs three steps.
func TestPipelines(t *testing.T) {
	s := local(t, setup{})
	s.place(t, "run-8.png", pngOf(t, 1000, 500))
	t.Run("by reference", s.pipelineByReference)
	t.Run("by bytes", s.pipelineByBytes)
	t.Run("a step twice", s.pipelineStepTwice)
	t.Run("a step that fails", s.pipelineStepThatFails)
}

func (s *system) pipelineByReference(t *testing.T) {
	code, answer := s.pipeline(t,
		`{"input_image":{"bucket":"imageflow-files","object_key":"run-8.png"},"execution_id":"run-8",`+chain+`}`)
	want := []string{"run-8_resize.png", "run-8_ai-detection.png", "run-8_filter.png"}
	if code != http.StatusOK || answer.ID != "run-8" || !slices.Equal(answer.keys(), want) || answer.Output.Key != want[2] {
		t.Fatalf("%d %+v", code, answer)
	}
	for _, key := range want {
		if got := s.size(t, key); got != image.Pt(800, 400) {
			t.Errorf("%s is %v", key, got)
		}
	}
	for i, step := range []string{"detect", "filter"} {
		before := answer.Steps[i][[]string{"resize", "detect"}[i]].Result.Output.ETag
		if got := answer.Steps[i+1][step].Result.Metadata["source_etag"]; got != before || got == "" {
			t.Errorf("%s read %q, not %q", step, got, before)
		}
	}
}

func (s *system) pipelineByBytes(t *testing.T) {
	before := len(s.keys(t, ""))
	img := base64.StdEncoding.EncodeToString(jpegOf(t, 1000, 500))
	code, answer := s.pipeline(t, `{"input_bytes":"`+img+`",`+chain+`}`)
	m, format, err := image.Decode(bytes.NewReader(answer.Data))
	if code != http.StatusOK || err != nil || format != "jpeg" || m.Bounds().Size() != image.Pt(800, 400) {
		t.Errorf("%d %s %v", code, format, err)
	}
	if keys := s.keys(t, ""); len(keys) != before {
		t.Errorf("written: %q", keys)
	}
}

func (s *system) pipelineStepTwice(t *testing.T) {
	code, answer := s.pipeline(t, `{"input_image":{"object_key":"run-8.png"},"execution_id":"twice",
		"steps":[{"resize":{"target_width":400}},{"resize":{"target_width":100}}]}`)
	if code != http.StatusOK || !slices.Equal(answer.keys(), []string{"twice_resize.png", "twice_resize-2.png"}) {
		t.Fatalf("%d %+v", code, answer)
	}
	for key, width := range map[string]int{"twice_resize.png": 400, "twice_resize-2.png": 100} {
		if got := s.size(t, key).X; got != width {
			t.Errorf("%s is %d wide", key, got)
		}
	}
}

func (s *system) pipelineStepThatFails(t *testing.T) {
	code, answer := s.pipeline(t, `{"input_image":{"object_key":"run-8.png"},"execution_id":"fails",
		"steps":[{"resize":{"target_width":400}},{"detect":{"model_name":"gpt"}},{"resize":{"target_width":100}}]}`)
	if code != http.StatusNotFound || answer.Message != `steps[1] detect: model_name: no model "gpt"` {
		t.Errorf("%d %+v", code, answer)
	}
	if keys := s.keys(t, "fails"); !slices.Equal(keys, []string{"fails_resize.json", "fails_resize.png"}) {
		t.Errorf("written: %q", keys)
	}
}

// TestUploadReturnsImage uploads an image as curl -F image=@cat.jpg -F ... -o small.jpg does.
func TestUploadReturnsImage(t *testing.T) {
	s := local(t, setup{})
	for path, fields := range map[string]map[string]string{
		"/v1/resize": {"target_width": "320"},
		"/v1/pipeline": {"steps": `[{"resize":{"target_width":320}},` +
			`{"filter":{"filter_type":"FILTER_TYPE_SATURATION","intensity":-1}}]`},
	} {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		file, err := form.CreateFormFile("image", "cat.jpg")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = file.Write(jpegOf(t, 640, 480))
		for name, value := range fields {
			_ = form.WriteField(name, value)
		}
		form.Close()
		resp, text := post(t, http.DefaultClient, s.url("gateway", path), body.String(), map[string]string{
			"Content-Type": form.FormDataContentType(), "Accept": "*/*",
		})
		m, format, err := image.Decode(bytes.NewReader([]byte(text)))
		if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "image/jpeg" {
			t.Fatalf("%s: %s %.300s %v", path, resp.Status, text, err)
		}
		if got := fmt.Sprint(format, m.Bounds().Size()); got != "jpeg(320,240)" {
			t.Errorf("%s: %s", path, got)
		}
	}
	if keys := s.keys(t, ""); len(keys) != 0 {
		t.Errorf("written: %q", keys)
	}
	resp, err := http.Get(s.url("gateway", "/openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK || !json.Valid(text) {
		t.Errorf("openapi.json: %s %v", resp.Status, err)
	}
}

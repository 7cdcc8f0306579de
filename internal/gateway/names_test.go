package gateway_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestGateway_readsShortNamesOfEnums: they are the same values in a body, in a form, and in messages in a form.
func TestGateway_readsShortNamesOfEnums(t *testing.T) {
	url := open(t, func(_ context.Context, r *imageflowv1.ResizeRequest) (*imageflowv1.ResizeResponse, error) {
		return &imageflowv1.ResizeResponse{Result: &imageflowv1.ProcessingResult{
			Message: strings.Join([]string{r.GetFit().String(), r.GetEncoding().GetChroma().String(), r.GetFlip().String()}, " "),
		}}, nil
	})
	const want = `"message":"FIT_COVER CHROMA_420 FLIP_HORIZONTAL"`
	for _, body := range []string{
		`{"fit": "cover", "encoding": {"chroma": "420"}, "flip": "horizontal"}`,
		`{"encoding":{"chroma":420},"flip" : "FLIP_HORIZONTAL","fit":2}`,
		"{\"flip\"\n:\t\"horizontal\",\"fit\":\"FIT_COVER\", \"encoding\": {\"chroma\":\"CHROMA_420\"}}",
	} {
		if resp, got := ask(t, "POST", url+"/v1/resize", body); resp.StatusCode != http.StatusOK || !strings.Contains(got, want) {
			t.Errorf("%s: %d %s", body, resp.StatusCode, got)
		}
	}
	for _, fields := range [][]string{
		{"fit=cover", "encoding.chroma=420", "flip=horizontal"}, {"fit=FIT_COVER", `encoding= {"chroma":"420"}`, "flip=1"},
	} {
		resp, data := upload{fields: fields, accept: "application/json"}.post(t, url+"/v1/resize")
		if got := strings.ReplaceAll(string(data), `": "`, `":"`); resp.StatusCode != http.StatusOK || !strings.Contains(got, want) {
			t.Errorf("%q: %d %s", fields, resp.StatusCode, got)
		}
	}
}

// TestGateway_errorsNameAllFields: a rule about several fields names each in the details.
func TestGateway_errorsNameAllFields(t *testing.T) {
	s := start(t)
	for path, body := range map[string]string{
		"/v1/pipeline": `{"steps":[{"resize":{"target_width":1}}]}`, "/v1/resize": `{"target_width":1}`,
	} {
		_, got := ask(t, "POST", s.url+path, body)
		for _, field := range []string{"input_image.object_key", "input_bytes"} {
			if !strings.Contains(got, `{"field":"`+field+`","description":"exactly one must be given"`) {
				t.Errorf("%s: no detail of %s: %s", path, field, got)
			}
		}
	}
	for body, want := range map[string]string{
		`{"steps":[{"filter":{}}]}`:                   "filter_type: must be one of blur, sharpen, brightness, contrast,",
		`{"steps":[{"filter":{"filter_type":77}}]}`:   `filter_type: \"77\" is not one of blur, sharpen, brightness, contrast,`,
		`{"steps":[{"detect":{"masks":["a"]}}]}`:      `masks[0]: \"a\" is not one of polygon, rle`,
		`{"steps":[{"detect":{"resultSlot":"big"}}]}`: "steps[0].detect.resultSlot: no such field",
	} {
		if _, got := ask(t, "POST", s.url+"/v1/pipeline", `{"input_bytes":"AAAA",`+body[1:]); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}

// TestGateway_findsErrorsBesideShortNames: a short name moves no offset, and is not blamed for what follows it.
func TestGateway_findsErrorsBesideShortNames(t *testing.T) {
	s := start(t)
	for body, want := range map[string]string{
		`{"filter_type":"blur",}`:                                "unexpected JSON at byte 22",
		`{"filter_type":"blur","input_image":5}`:                 "input_image: unexpected JSON at byte 36",
		`{"input_bytes":"AAAA","filter_type":"blur"} {}`:         "unexpected JSON at byte 44",
		`{"filter_type":"FILTER_TYPE_BLUR","output_image":true}`: "output_image: unexpected JSON at byte 49",
	} {
		if _, got := ask(t, "POST", s.url+"/v1/filter", body); !strings.Contains(got, want+`"`) {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}

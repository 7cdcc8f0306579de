package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/events"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	// headerPrefix begins the headers of an answer that is the image itself. The rest is a key of
	// the result's metadata: pixel_path is in Imageflow-Pixel-Path.
	headerPrefix = "Imageflow-"
	// firstFrameOnly is the key of the result's field of that name.
	firstFrameOnly = "first_frame_only"
)

// exposedHeaders are those headers of answers that web pages of other origins may read.
var exposedHeaders = strings.Join([]string{
	"Retry-After", imageHeader(events.Quality), imageHeader(events.Bytes), imageHeader(events.Encodes),
	imageHeader(events.PixelPath), imageHeader(events.Repaired), imageHeader(events.ExecutionID), imageHeader(firstFrameOnly),
}, ", ")

// imageHeader returns the name of the header for a key.
func imageHeader(key events.ResultKey) string {
	return http.CanonicalHeaderKey(headerPrefix + strings.ReplaceAll(string(key), "_", "-"))
}

// describeImage sets headers for what JSON would say about an image: the metadata of the result, or
// of the last step of a pipeline, and whether a step used only the first frame.
func describeImage(h http.Header, resp proto.Message) {
	results := resultsOf(resp)
	for i, result := range results {
		if result.GetFirstFrameOnly() {
			h.Set(imageHeader(firstFrameOnly), "true")
		}
		if i < len(results)-1 {
			continue
		}
		for key, value := range result.GetMetadata() {
			h.Set(imageHeader(events.ResultKey(key)), headerValue(value))
		}
	}
}

// resultsOf returns the result of an answer, or of each step of a pipeline.
func resultsOf(resp proto.Message) []*imageflowv1.ProcessingResult {
	type withResult interface {
		GetResult() *imageflowv1.ProcessingResult
	}
	switch r := resp.(type) {
	case withResult:
		return []*imageflowv1.ProcessingResult{r.GetResult()}
	case *imageflowv1.RunPipelineResponse:
		var all []*imageflowv1.ProcessingResult
		for _, step := range r.GetSteps() {
			m := step.ProtoReflect()
			field := m.WhichOneof(m.Descriptor().Oneofs().ByName("processor"))
			all = append(all, m.Get(field).Message().Interface().(withResult).GetResult())
		}
		return all
	}
	return nil
}

// headerValue returns a value as it is if it consists of printable ASCII, and else percent-encoded.
func headerValue(value string) string {
	for _, c := range []byte(value) {
		if c < ' ' || c > '~' || c == '%' {
			return url.PathEscape(value)
		}
	}
	return value
}

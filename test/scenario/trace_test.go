package scenario

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/internal/testing/otlp"
)

// tracing is the environment of a process that sends its spans to the receiver.
func tracing(r *otlp.Receiver) []string {
	return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + r.GRPC, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_BSP_SCHEDULE_DELAY=50"}
}

// TestUploadIsOneTrace: an upload is one trace from the notification to the last tag, through every
// part and stage, and each span is a child of its cause.
func TestUploadIsOneTrace(t *testing.T) {
	received := otlp.Start(t)
	s := local(t, setup{env: tracing(received)})
	s.put(t, "cat.jpg", "image/jpeg", jpegOf(t, 900, 900))
	eventually(t, "the end", func() bool { return s.tag(t, "cat.jpg") == "completed" })
	if err := s.stop(t); err != nil { // and sends the last spans
		t.Fatal(err)
	}
	spans := received.Spans()
	for _, span := range spans {
		if span.Trace != spans[0].Trace {
			t.Errorf("%s is in another trace", pathOf(spans, span))
		}
	}
	got := paths(spans)
	sent := "bridge POST /notifications > bridge send event > broker POST /{namespace}/{name}"
	for _, step := range []struct{ name, stages string }{
		{"resize", "queue fetch apply store"},
		{"detect", "queue fetch apply apply/decode apply/infer store"},
		{"filter", "queue fetch apply apply/decode apply/encode store"},
	} {
		job := sent + " > broker send event > " + step.name + " POST / > " + step.name + " " + step.name
		for _, stage := range strings.Fields(step.stages) {
			want := job + " > " + step.name + " " + strings.ReplaceAll(stage, "/", " > "+step.name+" ")
			if !slices.Contains(got, want) {
				t.Errorf("there is no span %s in\n%s", want, strings.Join(got, "\n"))
			}
		}
		sent = strings.TrimSuffix(job, " > "+step.name+" "+step.name) // which its reply continues
	}
	if want := sent + " > broker send event > bridge POST /completed"; !slices.Contains(got, want) {
		t.Errorf("there is no span %s in\n%s", want, strings.Join(got, "\n"))
	}
}

// paths lists the paths of the spans in their trace, without repetitions.
func paths(spans []otlp.Span) []string {
	var all []string
	for _, span := range spans {
		all = append(all, pathOf(spans, span))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// pathOf returns the names of a span's ancestors and its own.
func pathOf(spans []otlp.Span, span otlp.Span) string {
	name := fmt.Sprintf("%s %s", strings.TrimPrefix(span.Service, "imageflow-"), span.Name)
	if span.Parent == "" {
		return name
	}
	for _, other := range spans {
		if other.Trace == span.Trace && other.ID == span.Parent {
			return pathOf(spans, other) + " > " + name
		}
	}
	return "? > " + name
}

// TestCallsAreOneTrace: these form one trace each: a pipeline called in JSON, all calls with one
// execution id by a caller without traces, such as Argo, and all calls of a caller with a trace.
func TestCallsAreOneTrace(t *testing.T) {
	received := otlp.Start(t)
	s := local(
		t,
		setup{
			env: append(tracing(received), "OTEL_EXPORTER_OTLP_ENDPOINT="+received.HTTP, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"),
		},
	)
	s.put(t, "in/cat.jpg", "image/jpeg", jpegOf(t, 300, 300))
	const own = "0af7651916cd43dd8448eb211c80319c"
	input := `"input_image":{"bucket":"imageflow-files","object_key":"in/cat.jpg"}`
	s.postJSON(t, "/v1/pipeline", `{`+input+`,"execution_id":"a","steps":[{"resize":{"target_width":100}},{"detect":{}}]}`, "")
	s.postJSON(t, "/v1/resize", `{`+input+`,"execution_id":"b","target_width":100}`, "")
	s.postJSON(t, "/v1/detect", `{`+input+`,"execution_id":"b"}`, "")
	s.postJSON(t, "/v1/resize", `{`+input+`,"execution_id":"b","target_width":90}`, "00-"+own+"-b7ad6b7169203331-01")
	if err := s.stop(t); err != nil {
		t.Fatal(err)
	}
	traces := map[string][]otlp.Span{}
	for _, span := range received.Spans() {
		traces[span.Trace] = append(traces[span.Trace], span)
	}
	call := func(step, method string) string {
		return "gateway POST /v1/%s > gateway imageflow.v1." + method +
			" > " + step + " imageflow.v1." + method + " > " + step + " " + step
	}
	resize, detect := call("resize", "ResizeService/ResizeImage"), call("detect", "AIDetectionService/DetectObjects")
	for _, want := range [][]string{
		{fmt.Sprintf(resize, "pipeline"), fmt.Sprintf(detect, "pipeline")},
		{fmt.Sprintf(resize, "resize"), fmt.Sprintf(detect, "detect")},
	} {
		if !slices.ContainsFunc(slices.Collect(maps.Values(traces)), func(spans []otlp.Span) bool {
			got := paths(spans)
			return slices.Contains(got, want[0]) && slices.Contains(got, want[1])
		}) {
			t.Errorf("no trace has %q:\n%v", want, traces)
		}
	}
	if got, want := paths(traces[own]), "? > "+fmt.Sprintf(resize, "resize"); !slices.Contains(got, want) {
		t.Errorf("the caller's trace has %q, not %q", got, want)
	}
}

func (s *system) postJSON(t *testing.T, path, body, traceparent string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.url("gateway", path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if traceparent != "" {
		req.Header.Set("Traceparent", traceparent)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: answered %d %s", path, resp.StatusCode, text)
	}
}

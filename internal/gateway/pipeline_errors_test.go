package gateway_test

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"

	"imageflow.dev/internal/testing/grpctest"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// fail posts a pipeline that must fail, and returns its status.
func (s *system) fail(t *testing.T, body string) (*http.Response, *status.Status) {
	t.Helper()
	resp, text := ask(t, "POST", s.url+"/v1/pipeline", body)
	p := &statuspb.Status{}
	if err := protojson.Unmarshal([]byte(text), p); err != nil || resp.StatusCode == http.StatusOK {
		t.Fatalf("%d %s %v", resp.StatusCode, text, err)
	}
	return resp, status.FromProto(p)
}

// details returns the invalid field, and the metadata about the step.
func details(s *status.Status) (field string, step map[string]string) {
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.BadRequest:
			field = d.GetFieldViolations()[0].GetField()
		case *errdetails.ErrorInfo:
			if d.GetReason() == "PIPELINE_STEP_FAILED" {
				step = d.GetMetadata()
			}
		}
	}
	return field, step
}

// The error names the step. The outputs of the steps before it remain.
func TestPipeline_failsAtStep(t *testing.T) {
	s := start(t)
	s.put(t, "cat.jpg", jpegOf(t, 320, 240))
	for _, c := range []struct {
		steps, input string
		code         int
		says         string
		field, index string
	}{
		{`{"resize":{"target_width":100}},{"filter":{"filter_type":"FILTER_TYPE_BLUR","intensity":99}},` +
			`{"resize":{"target_width":50}}`, "cat.jpg",
			400, "steps[1] filter: intensity: 99 is outside", "steps[1].filter.intensity", "1"},
		{`{"resize":{"target_width":100}},{"detect":{"model_name":"gpt"}}`, "cat.jpg", 404,
			`steps[1] detect: model_name: no model "gpt"`, "steps[1].detect.model_name", "1"},
		{`{"resize":{"target_width":100}}`, "dog.jpg", 404, `steps[0] resize: input_image: no object "dog.jpg"`, "input_image", "0"},
	} {
		resp, st := s.fail(t, `{"input_image":{"object_key":"`+c.input+`"},"execution_id":"x","steps":[`+c.steps+`]}`)
		field, step := details(st)
		if resp.StatusCode != c.code || !strings.HasPrefix(st.Message(), c.says) || field != c.field ||
			step["index"] != c.index || step["execution_id"] != "x" {
			t.Errorf("%s: %d %v, field %q, step %v", c.steps, resp.StatusCode, st, field, step)
		}
	}
	if keys := s.keys(t); !slices.Equal(keys, []string{"cat.jpg", "x_resize.jpg", "x_resize.json"}) {
		t.Errorf("objects: %q", keys)
	}
}

// No step runs if the request violates a rule in any step.
func TestPipeline_validatesAllStepsFirst(t *testing.T) {
	s := start(t)
	s.put(t, "cat.jpg", jpegOf(t, 320, 240))
	const resize = `{"resize":{"target_width":100}}`
	with := func(steps string) string { return `{"input_image":{"object_key":"cat.jpg"},"steps":[` + steps + `]}` }
	for _, c := range []struct{ body, field, says string }{
		{with(``), "steps", "steps or pipeline: exactly one"},
		{with(strings.Repeat(resize+",", 16) + resize), "steps", "16"},
		{with(resize + `,{}`), "steps[1].processor", "exactly one"},
		{with(resize + `,{"detect":{"confidence_threshold":1.5}}`), "steps[1].detect.confidence_threshold", "1"},
		{with(resize + `,{"resize":{}}`), "steps[1].resize", "at least one must be above 0"},
		{
			with(resize + `,{"resize":{"target_width":1,"input_image":{"object_key":"dog.jpg"}}}`),
			"steps[1]", "leave them out of its steps",
		},
		{with(resize + `,{"filter":{"filter_type":"FILTER_TYPE_BLUR","execution_id":"x"}}`), "steps[1]", "leave them out of its steps"},
		{with(resize + `,{"detect":{"output_image":{"object_key":"x.png"}}}`), "steps[1]", "leave them out of its steps"},
		{with(resize + `,{"detect":{"input_bytes":"AAAA"}}`), "steps[1]", "leave them out of its steps"},
		{`{"steps":[` + resize + `]}`, "input_image.object_key", "exactly one must be given"},
		{
			`{"input_bytes":"AAAA","input_image":{"object_key":"cat.jpg"},"steps":[` + resize + `]}`,
			"input_image.object_key", "exactly one must be given",
		},
		{`{"input_image":{"object_key":"../cat.jpg"},"steps":[` + resize + `]}`, "input_image.object_key", "segment"},
		{`{"input_image":{"object_key":"` + strings.Repeat("k", 1000) + `"},"steps":[` + resize + `]}`, "execution_id", "900"},
	} {
		resp, st := s.fail(t, c.body)
		if field, _ := details(st); resp.StatusCode != 400 || !strings.Contains(st.Message(), c.says) || field != c.field ||
			strings.HasPrefix(st.Message(), ":") {
			t.Errorf("%.200s: %d %v, field %q; want %q about %q", c.body, resp.StatusCode, st, field, c.says, c.field)
		}
	}
	if keys := s.keys(t); len(keys) != 1 {
		t.Errorf("objects: %q", keys)
	}
}

// A pipeline fails if another run replaces an output before the next step has read it.
func TestPipeline_neverMixesRuns(t *testing.T) {
	s := start(t)
	s.put(t, "cat.jpg", jpegOf(t, 320, 240))
	s.before = func(_ context.Context, method string) error {
		if method == imageflowv1.FilterService_ApplyFilter_FullMethodName {
			s.put(t, "cat_resize.jpg", jpegOf(t, 64, 64))
		}
		return nil
	}
	_, st := s.fail(t, `{"input_image":{"object_key":"cat.jpg"},"steps":[{"resize":{"target_width":100}},`+
		`{"filter":{"filter_type":"FILTER_TYPE_BLUR","intensity":1}}]}`)
	if st.Code() != codes.NotFound || !strings.Contains(st.Message(), "no longer the requested version") {
		t.Errorf("got %v", st)
	}
}

func TestPipeline_propagatesDeadlineAndTrace(t *testing.T) {
	s := start(t)
	s.pipeline.Timeout = 2 * time.Second
	s.put(t, "cat.jpg", jpegOf(t, 320, 240))
	traces := make(chan string, 10)
	s.before = func(ctx context.Context, method string) error {
		traces <- strings.Join(metadata.ValueFromIncomingContext(ctx, "traceparent"), " ")
		if method == imageflowv1.FilterService_ApplyFilter_FullMethodName {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	began := time.Now()
	resp, text := ask(t, "POST", s.url+"/v1/pipeline", `{"input_image":{"object_key":"cat.jpg"},`+
		`"steps":[{"resize":{"target_width":100}},{"filter":{"filter_type":"FILTER_TYPE_BLUR"}}]}`,
		"Traceparent", "00-aa-bb-01", "Authorization", "Bearer secret")
	took := time.Since(began) // the timeout of the gateway is one minute
	if resp.StatusCode != http.StatusGatewayTimeout || !strings.Contains(text, `"steps[1] filter: no answer in time"`) ||
		took > 30*time.Second {
		t.Errorf("%d %s after %v", resp.StatusCode, text, took)
	}
	for range 2 {
		if trace := <-traces; trace != "00-aa-bb-01" {
			t.Errorf("trace %q", trace)
		}
	}
}

// A busy processor sets Retry-After. The address of an unreachable one is not disclosed.
func TestPipeline_busyAndUnreachableProcessors(t *testing.T) {
	s := start(t)
	s.put(t, "cat.jpg", jpegOf(t, 320, 240))
	s.before = func(context.Context, string) error {
		full, err := status.New(codes.ResourceExhausted,
			"full").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(3 * time.Second)})
		if err != nil {
			return err
		}
		return full.Err()
	}
	const body = `{"input_image":{"object_key":"cat.jpg"},"steps":[{"resize":{"target_width":100}}]}`
	if resp, st := s.fail(t, body); resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "3" ||
		st.Message() != "steps[0] resize: full" {
		t.Errorf("%d %v", resp.StatusCode, st)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s.pipeline.Processors["resize"] = grpctest.Dial(t, l.Addr().String())
	if resp, st := s.fail(t, body); resp.StatusCode != 503 || st.Message() != "steps[0] resize: the processor does not answer" {
		t.Errorf("%d %v", resp.StatusCode, st)
	}
}

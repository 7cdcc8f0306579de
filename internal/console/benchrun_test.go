package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// gatewayStub answers as a gateway with one execution, one chain, and a pipeline that does nothing.
type gatewayStub struct {
	imageflowv1.ExecutionServiceClient
	imageflowv1.PipelineServiceClient
	execution *imageflowv1.GetExecutionResponse
	chains    *imageflowv1.ListChainsResponse
	fails     error
	asked     *imageflowv1.RunPipelineRequest
	contracts int
}

func (g *gatewayStub) GetExecution(
	context.Context, *imageflowv1.GetExecutionRequest, ...grpc.CallOption,
) (*imageflowv1.GetExecutionResponse, error) {
	if g.execution == nil {
		return nil, status.Error(codes.NotFound, "no such execution")
	}
	return g.execution, nil
}

func (g *gatewayStub) ListExecutions(
	context.Context, *imageflowv1.ListExecutionsRequest, ...grpc.CallOption,
) (*imageflowv1.ListExecutionsResponse, error) {
	newest := &imageflowv1.ExecutionSummary{Bucket: "b", ObjectKey: "new/a.jpg", Etag: "e"}
	return &imageflowv1.ListExecutionsResponse{Executions: []*imageflowv1.ExecutionSummary{newest}}, nil
}

func (g *gatewayStub) ListChains(
	context.Context, *imageflowv1.ListChainsRequest, ...grpc.CallOption,
) (*imageflowv1.ListChainsResponse, error) {
	if g.chains == nil {
		return nil, status.Error(codes.Unimplemented, "no Triggers")
	}
	return g.chains, nil
}

func (g *gatewayStub) ReplayDeadLetters(
	context.Context, *imageflowv1.ReplayDeadLettersRequest, ...grpc.CallOption,
) (*imageflowv1.ReplayDeadLettersResponse, error) {
	return &imageflowv1.ReplayDeadLettersResponse{}, nil
}

func (g *gatewayStub) RunPipeline(
	_ context.Context, req *imageflowv1.RunPipelineRequest, _ ...grpc.CallOption,
) (*imageflowv1.RunPipelineResponse, error) {
	if g.asked = req; g.fails != nil {
		return nil, g.fails
	}
	output := &imageflowv1.ImageData{Bucket: "b", ObjectKey: req.GetExecutionId() + "_filter.jpg", Etag: "e", Width: 4, Height: 3}
	return &imageflowv1.RunPipelineResponse{ExecutionId: req.GetExecutionId(), Steps: []*imageflowv1.PipelineStepResponse{{
		Processor: &imageflowv1.PipelineStepResponse_Filter{Filter: &imageflowv1.FilterResponse{
			Result: &imageflowv1.ProcessingResult{OutputImage: output, Metadata: map[string]string{"decode_ms": "5"}},
		}},
	}}}, nil
}

// RoundTrip answers with the contract, except the first time.
func (g *gatewayStub) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if g.contracts++; g.contracts == 1 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return w.Result(), nil
	}
	text, err := os.ReadFile("../gateway/openapi.json")
	if r.URL.Path != "/openapi.json" || err != nil {
		return nil, os.ErrNotExist
	}
	_, _ = w.Write(text)
	return w.Result(), nil
}

func consoleOf(t *testing.T, g *gatewayStub, change func(*Config)) *Console {
	t.Helper()
	c := Config{Executions: g, Pipelines: g, Gateway: g, Bucket: "b", MaxUploadBytes: 1000, MaxPages: 3, ReadFrom: []string{"b"}}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func visit(s *Console, r *http.Request) (int, string, http.Header) {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

func post(path string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func containsAll(t *testing.T, page string, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not contain %s", text)
		}
	}
}

var blur = url.Values{
	"key": {`a"<i>.jpg`}, "step": {"filter"}, "1.filter_type": {"FILTER_TYPE_BLUR"}, "1.intensity": {"3"},
	"1.encoding.quality": {""},
}

func with(form url.Values, name, value string) url.Values {
	changed := url.Values{name: {value}}
	for other, values := range form {
		if other != name {
			changed[other] = values
		}
	}
	return changed
}

// TestBench_edit: a button answers with the address of the changed choices, and the page there has their controls.
func TestBench_edit(t *testing.T) {
	s := consoleOf(t, &gatewayStub{}, nil)
	code, _, h := visit(s, post("/bench", with(blur, "do", "add-resize")))
	to := h.Get("Location")
	if code != http.StatusSeeOther || strings.Contains(to, "quality") || !strings.HasSuffix(to, "&step=filter&step=resize") {
		t.Fatalf("%d %s", code, to)
	}
	if code, page, _ := visit(s, httptest.NewRequest(http.MethodGet, to, nil)); code != http.StatusOK {
		t.Errorf("%d", code)
	} else {
		containsAll(t, page, "cannot be read", `name="2.target_width"`) // the gateway does not answer the first time
	}
	_, page, _ := visit(s, httptest.NewRequest(http.MethodGet, "/bench?step=filter", nil))
	containsAll(t, page, `href="/bench?bucket=b&amp;key=new%2Fa.jpg&amp;step=filter"`,
		`src="/object?bucket=b&amp;etag=e&amp;key=new%2Fa.jpg"`)
	code, page, _ = visit(s, httptest.NewRequest(http.MethodGet, to, nil))
	if code != http.StatusOK || strings.Contains(page, "cannot be read") || strings.Contains(page, "<i>") {
		t.Errorf("%d; a key that is no text", code)
	}
	containsAll(t, page, `name="1.intensity" value="3"`, "<option selected>FILTER_TYPE_BLUR</option>", `value="a&#34;&lt;i&gt;.jpg"`,
		"The requested width in pixels", `min="0" max="16383" step="1"`, "2 resize", `value="up-2"`, `value="remove-1"`)
}

func TestBench_run(t *testing.T) {
	g := &gatewayStub{}
	s := consoleOf(t, g, nil)
	code, page, _ := visit(s, post("/bench", with(blur, "do", "run")))
	id := g.asked.GetExecutionId()
	if code != http.StatusOK || !strings.HasPrefix(id, "console/") || g.asked.GetInputImage().GetObjectKey() != `a"<i>.jpg` ||
		g.asked.GetInputImage().GetBucket() != "b" || g.asked.GetSteps()[0].GetFilter().GetIntensity() != 3 {
		t.Errorf("%d, asked for %v", code, g.asked)
	}
	containsAll(t, page, `data-title="upload"`, `data-title="bench 1 filter"`, "_filter.jpg", "&#34;decode_ms&#34;: &#34;5&#34;",
		"<page-address href=\"/bench?1.filter_type=FILTER_TYPE_BLUR&amp;1.intensity=3&amp;")
}

// TestBench_runFails: nothing runs that the contract refuses; what the gateway refuses stands at the control.
func TestBench_runFails(t *testing.T) {
	bad, err := status.New(codes.InvalidArgument, "steps[0] filter: intensity: 30 is outside").WithDetails(&errdetails.BadRequest{
		FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "steps[0].filter.intensity", Description: "outside [0, 10]"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	g := &gatewayStub{fails: bad.Err()}
	s := consoleOf(t, g, func(c *Config) { c.ReadFrom = []string{"b/in"} })
	code, _, _ := visit(s, post("/bench", with(blur, "do", "run")))
	if code != http.StatusForbidden || g.asked != nil {
		t.Errorf("an image outside READ_FROM: %d", code)
	}
	form := with(with(blur, "do", "run"), "key", "in/a.jpg")
	for name, value := range map[string]string{"1.intensity": "much", "key": "", "step": "none"} {
		if code, _, _ := visit(s, post("/bench", with(form, name, value))); code != http.StatusBadRequest || g.asked != nil {
			t.Errorf("%s=%s: %d", name, value, code)
		}
	}
	code, page, _ := visit(s, post("/bench", form))
	at := strings.Index(page, `name="1.intensity"`)
	if code != http.StatusBadRequest || at < 0 {
		t.Fatalf("%d", code)
	}
	containsAll(t, page[at:min(len(page), at+600)], `aria-invalid="true"`, "outside [0, 10]</p>")
	r := post("/bench", form)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	g.asked = nil
	if code, _, _ := visit(s, r); code != http.StatusForbidden || g.asked != nil {
		t.Errorf("from another site: %d", code)
	}
	if code, _, _ := visit(s, post("/bench", with(form, "name", strings.Repeat("x", maxFormBytes)))); code != http.StatusBadRequest {
		t.Errorf("a large form: %d", code)
	}
}

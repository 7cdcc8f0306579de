// Package function_test runs the gateway as func runs it.
package function_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/grpc"
	funchttp "knative.dev/func-go/http"

	"imageflow.dev"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// The methods that func looks for in a function; it ignores others.
var (
	_ funchttp.Starter           = (*imageflow.Function)(nil)
	_ funchttp.Stopper           = (*imageflow.Function)(nil)
	_ funchttp.ReadinessReporter = (*imageflow.Function)(nil)
)

// TestFunction runs the function in func's own server.
func TestFunction(t *testing.T) {
	f := imageflow.New()
	server := httptest.NewServer(funchttp.New(f).Server.Handler)
	t.Cleanup(server.Close)
	if code, _ := call(t, server.URL, "/health/readiness", ""); code != http.StatusServiceUnavailable {
		t.Errorf("readiness before the start is %d, want 503", code)
	}
	if code, _ := call(t, server.URL, "/v1/resize", "{}"); code != http.StatusServiceUnavailable {
		t.Errorf("a request before the start is answered %d, want 503", code)
	}

	env := map[string]string{"RESIZE_GRPC_ENDPOINT": resizeServer(t), "FILTER_GRPC_ENDPOINT": "127.0.0.1:1"}
	if err := f.Start(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, c := range []struct {
		path, body string
		code       int
		says       string
	}{
		{"/health/liveness", "", http.StatusOK, ""},
		{"/health/readiness", "", http.StatusOK, ""},
		{"/v1/resize", `{"input_image": {"object_key": "cat.png"}, "target_width": 80}`, http.StatusOK, `"cat.png 80"`},
		{"/v1/resize", `{"no_field": 1}`, http.StatusBadRequest, "no_field"},
		{"/v1/filter", `{"input_image": {"object_key": "cat.png"}}`, http.StatusServiceUnavailable, "does not answer"},
		{"/v1/pipeline", `{"input_image": {"object_key": "cat.png"}, "steps": [{"filter": {"filter_type": 1}}]}`,
			http.StatusServiceUnavailable, "steps[0] filter: the processor does not answer"},
		{"/v1/pipeline", `{"input_image": {"object_key": "cat.png"}, "inline": true, "steps": [{"resize": {"target_width": 80}}]}`,
			http.StatusNotImplemented, "does not read stored images"},
		{"/v1/executions/cat", "", http.StatusNotImplemented, "does not look up executions"},
	} {
		if code, body := call(t, server.URL, c.path, c.body); code != c.code || !strings.Contains(body, c.says) {
			t.Errorf("%s %s: %d %s, want %d with %q", c.path, c.body, code, body, c.code, c.says)
		}
	}
}

// TestFunctionDemandsItsToken: a function with a token refuses calls without it.
func TestFunctionDemandsItsToken(t *testing.T) {
	f := imageflow.New()
	env := map[string]string{"GATEWAY_TOKEN": "the-gateway-token", "EVENT_SIGNING_KEYS": "a key of events for these tests only"}
	if err := f.Start(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(f.Handle))
	t.Cleanup(server.Close)
	if code, body := call(t, server.URL, "/", "{}"); code != http.StatusUnauthorized || !strings.Contains(body, "not signed") {
		t.Errorf("an event without a signature is answered %d: %s", code, body)
	}
	if code, body := call(t, server.URL, "/v1/resize", "{}"); code != http.StatusUnauthorized {
		t.Errorf("without the token: %d %s", code, body)
	}
	if err := f.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestFunctionIsPureGo builds it as func does.
func TestFunctionIsPureGo(t *testing.T) {
	cmd := exec.Command("go", "build", ".")
	cmd.Dir = "../.."
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// call posts a body, or gets without one.
func call(t *testing.T, url, path, body string) (int, string) {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// resizer answers with the requested size.
type resizer struct {
	imageflowv1.UnimplementedResizeServiceServer
}

func (resizer) ResizeImage(_ context.Context, r *imageflowv1.ResizeRequest) (*imageflowv1.ResizeResponse, error) {
	return &imageflowv1.ResizeResponse{
		Result: &imageflowv1.ProcessingResult{Message: fmt.Sprintf("%s %d", r.GetInputImage().GetObjectKey(), r.GetTargetWidth())},
	}, nil
}

func resizeServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	imageflowv1.RegisterResizeServiceServer(server, resizer{})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// Package function_test runs the Knative Function as func runs it.
package function_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"
	funchttp "knative.dev/func-go/http"

	"imageflow.dev/func"
	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// The methods that func looks for in a function; it ignores others.
var (
	_ funchttp.Starter           = (*function.Function)(nil)
	_ funchttp.ReadinessReporter = (*function.Function)(nil)
)

// TestFunction runs the function in func's own server.
func TestFunction(t *testing.T) {
	f := function.New()
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
	for _, c := range []struct {
		path, body string
		code       int
		says       string
	}{
		{"/health/liveness", "", http.StatusOK, ""},
		{"/health/readiness", "", http.StatusOK, ""},
		{"/", `{"message":"Hello World"}`, http.StatusOK, `"POST /v1/resize"`}, // what func invoke sends
		{"/v1/resize", `{"input_image": {"object_key": "cat.png"}, "target_width": 80}`, http.StatusOK, `"cat.png 80"`},
		{"/v1/resize", `{"no_field": 1}`, http.StatusBadRequest, "no_field"},
		{"/v1/resize", "", http.StatusMethodNotAllowed, "takes POST, not GET"},
		{"/v1/filter", `{"input_image": {"object_key": "cat.png"}}`, http.StatusServiceUnavailable, "does not answer"},
		{"/v1/pipeline", `{"steps": []}`, http.StatusNotFound, "grpc-gateway"},
		{"/v1/../v1/executions/cat", "", http.StatusNotFound, "no call of this function"},
	} {
		if code, body := call(t, server.URL, c.path, c.body); code != c.code || !strings.Contains(body, c.says) {
			t.Errorf("%s %s: %d %s, want %d with %q", c.path, c.body, code, body, c.code, c.says)
		}
	}
}

// TestFunctionRefusesEvents: no event is lost in the function.
func TestFunctionRefusesEvents(t *testing.T) {
	server := start(t, nil)
	if code, body := call(t, server, "/", "{}", "Ce-Id", "1"); code != http.StatusUnsupportedMediaType {
		t.Errorf("an event is answered %d: %s", code, body)
	}
}

// TestFunctionDemandsItsToken: a function with a token refuses calls without it, and the processor never sees it.
func TestFunctionDemandsItsToken(t *testing.T) {
	const token = "the-gateway-token"
	processor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s with %q", r.Host, r.Header.Get("Authorization"))
	}))
	t.Cleanup(processor.Close)
	address := processor.Listener.Addr().String()
	server := start(t, map[string]string{"GATEWAY_TOKEN": token, "RESIZE_GRPC_ENDPOINT": address})
	for given, want := range map[string]int{"": 401, "Bearer wrong": 401, token: 401, "bearer " + token: 200} {
		code, body := call(t, server, "/v1/resize", "{}", "Authorization", given)
		if code != want || code == 200 && body != address+` with ""` {
			t.Errorf("with %q: %d %s, want %d", given, code, body, want)
		}
	}
	if code, _ := call(t, server, "/v1/health/resize", ""); code != http.StatusOK {
		t.Errorf("health without the token: %d", code)
	}
	if err := function.New().Start(t.Context(), map[string]string{"GATEWAY_TOKEN": "short"}); err == nil {
		t.Error("a token of five bytes is accepted")
	}
}

// TestFunctionHasEveryCallOfTheProcessors: the function passes each call in JSON to the Service of its processor.
func TestFunctionHasEveryCallOfTheProcessors(t *testing.T) {
	for _, p := range processors.All {
		at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, p.Name) }))
		t.Cleanup(at.Close)
		server := start(t, map[string]string{p.EndpointVariable: at.Listener.Addr().String()})
		for _, path := range pathsOf(t, p) {
			code, body := call(t, server, path.url, path.body)
			if code != http.StatusOK || body != p.Name {
				t.Errorf("%s: %d %s, want the answer of %s", path.url, code, body, p.Name)
			}
		}
		for domain, want := range map[string]string{
			"nowhere.invalid": p.Host + ".nowhere.invalid",
			"":                "127.0.0.1:" + strconv.Itoa(p.LocalPort),
		} {
			server := start(t, map[string]string{"PROCESSOR_DOMAIN": domain})
			if code, body := call(t, server, "/v1/health/"+p.Name, ""); code != 200 && !strings.Contains(body, want) {
				t.Errorf("%s in the domain %q: %s, want a call of %s", p.Name, domain, body, want)
			}
		}
	}
}

type path struct{ url, body string }

// pathsOf returns the paths of the OpenAPI description that the processor's own JSON handler answers.
func pathsOf(t *testing.T, p processors.Info) []path {
	t.Helper()
	conns, err := gateway.Dial(func(processors.Info) string { return "127.0.0.1:1" }, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conns.Close() })
	handler, err := gateway.New(t.Context(), 1<<30, 1<<20, gateway.Backend{Register: p.RegisterJSON, Conn: conns[p.Name]})
	if err != nil {
		t.Fatal(err)
	}
	own := httptest.NewServer(handler)
	defer own.Close()
	_, text := call(t, own.URL, "/openapi.json", "")
	var openAPI struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal([]byte(text), &openAPI); err != nil {
		t.Fatal(err)
	}
	var paths []path
	for pattern, methods := range openAPI.Paths {
		url, body := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(pattern, "x"), ""
		if methods["post"] != nil {
			body = "{}"
		}
		if code, _ := call(t, own.URL, url, body); code != http.StatusNotFound && url != "/openapi.json" {
			paths = append(paths, path{url, body})
		}
	}
	if !slices.Contains(paths, path{"/v1/" + p.Name, "{}"}) {
		t.Fatalf("%s answers %v", p.Name, paths)
	}
	return paths
}

// start runs a function and returns its URL.
func start(t *testing.T, env map[string]string) string {
	t.Helper()
	f := function.New()
	if err := f.Start(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(f.Handle))
	t.Cleanup(server.Close)
	return server.URL
}

// call posts a body, or gets without one. header has names and values.
func call(t *testing.T, url, path, body string, header ...string) (int, string) {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(header, 2) {
		request.Header.Set(pair[0], pair[1])
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

// resizeServer serves a resizer in JSON, as a processor does, and returns its host:port.
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
	conns, err := gateway.Dial(func(processors.Info) string { return listener.Addr().String() }, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conns.Close() })
	handler, err := gateway.New(t.Context(), 1<<40, 1<<20, gateway.Backend{
		Register: processors.Resize.RegisterJSON, Conn: conns[processors.Resize.Name],
	})
	if err != nil {
		t.Fatal(err)
	}
	processor := httptest.NewServer(handler)
	t.Cleanup(processor.Close)
	return processor.Listener.Addr().String()
}

package telemetry_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"imageflow.dev/internal/telemetry"
	"imageflow.dev/internal/testing/otlp"
)

// start starts the tracing of a service. end sends its spans to the receiver.
func start(t *testing.T, service string) (*telemetry.Tracing, *otlp.Receiver) {
	t.Helper()
	received := otlp.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.HTTP)
	tracing, err := telemetry.StartTracing(t.Context(), telemetry.Traces{Exporter: telemetry.OTLP}, service)
	if err != nil {
		t.Fatal(err)
	}
	return tracing, received
}

func end(t *testing.T, tracing *telemetry.Tracing) {
	t.Helper()
	if err := tracing.End(); err != nil {
		t.Fatal(err)
	}
}

func TestStartTracing_offReturnsNilThatWrapsNothing(t *testing.T) {
	for _, traces := range []telemetry.Traces{{}, {Exporter: telemetry.None, Endpoint: "http://127.0.0.1:4318"}} {
		tracing, err := telemetry.StartTracing(t.Context(), traces, "any")
		if err != nil || tracing != nil {
			t.Fatalf("%+v: got %v, %v, want nil", traces, tracing, err)
		}
	}
	var off *telemetry.Tracing
	plain := http.NewServeMux()
	if off.Handler(plain) != http.Handler(plain) || off.JSON(plain) != http.Handler(plain) ||
		off.Transport(http.DefaultTransport) != http.DefaultTransport {
		t.Error("a nil Tracing wraps its argument")
	}
	if err := off.End(); err != nil {
		t.Error(err)
	}
}

func TestStartTracing_unknownProtocol(t *testing.T) {
	_, err := telemetry.StartTracing(t.Context(), telemetry.Traces{Exporter: telemetry.OTLP, Protocol: "http/json"}, "any")
	if err == nil || !strings.Contains(err.Error(), "http/json") {
		t.Errorf("got %v", err)
	}
}

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	first   = "b7ad6b7169203331"
	second  = "00f067aa0ba902b7"
)

// Brokers forward a reply with the headers of the event that it answers.
func TestHandler_eventExtensionTakesPrecedence(t *testing.T) {
	for _, c := range []struct {
		name, header, extension, parent string
	}{
		{"nothing", "", "", ""},
		{"a header", first, "", first},
		{"an extension", "", second, second},
		{"both", first, second, second},
	} {
		t.Run(c.name, func(t *testing.T) {
			tracing, received := start(t, "imageflow-resize")
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
			for name, value := range map[string]string{"Traceparent": c.header, "Ce-Traceparent": c.extension} {
				if value != "" {
					r.Header.Set(name, "00-"+traceID+"-"+value+"-01")
				}
			}
			r.Header.Set("Ce-Id", "1")
			r.Header.Set("Ce-Type", "some.type")
			tracing.Handler(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
			end(t, tracing)
			spans := received.Spans()
			if len(spans) != 1 || spans[0].Parent != c.parent || (c.parent != "") != (spans[0].Trace == traceID) {
				t.Fatalf("got %+v, want one span with the parent %q", spans, c.parent)
			}
			if got := spans[0]; got.Service != "imageflow-resize" || got.Attributes["cloudevents.event_type"] != "some.type" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestTransport_setsTraceInHeaderAndExtension(t *testing.T) {
	tracing, received := start(t, "imageflow-bridge")
	got := make(chan http.Header, 2)
	broker := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	defer broker.Close()
	client := &http.Client{Transport: tracing.Transport(http.DefaultTransport)}
	for _, id := range []string{"1", ""} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, broker.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if id != "" {
			r.Header.Set("Ce-Id", id)
			r.Header.Set("Ce-Traceparent", "00-"+traceID+"-"+first+"-01") // must be replaced
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	end(t, tracing)
	event, plain := <-got, <-got
	if header := event.Get("Traceparent"); header == "" || event.Get("Ce-Traceparent") != header || strings.Contains(header, first) {
		t.Errorf("the event has the extension %q and the header %q", event.Get("Ce-Traceparent"), header)
	}
	if plain.Get("Traceparent") == "" || plain.Get("Ce-Traceparent") != "" {
		t.Errorf("a request without an event has the extension %q and the header %q", plain.Get("Ce-Traceparent"),
			plain.Get("Traceparent"))
	}
	if spans := received.Spans(); len(spans) != 2 || spans[0].Name != "send event" || spans[1].Name != "POST" {
		t.Errorf("spans %+v", spans)
	}
}

// Requests that name one execution share a trace, others have traces of their own. The
// handler reads the request unchanged.
func TestJSON_executionDeterminesTrace(t *testing.T) {
	tracing, _ := start(t, "imageflow-gateway")
	defer end(t, tracing)
	traceOf := func(body, traceparent string) (id string) {
		r := httptest.NewRequest(http.MethodPost, "/v1/resize", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
		if traceparent != "" {
			r.Header.Set("Traceparent", traceparent)
		}
		tracing.JSON(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if text, err := io.ReadAll(r.Body); err != nil || string(text) != body {
				t.Errorf("the handler read %d of %d bytes, %v", len(text), len(body), err)
			}
			id = trace.SpanContextFromContext(r.Context()).TraceID().String()
		})).ServeHTTP(httptest.NewRecorder(), r)
		return id
	}
	one := traceOf(`{"execution_id": "cat"}`, "")
	for body, same := range map[string]bool{
		`{"input_image": {"execution_id": "dog", "sizes": [1]}, "executionId": "cat"}`:  true,
		`{"execution_id": "cat", "input_bytes": "` + strings.Repeat("A", 10_000) + `"}`: true,
		`{"execution_id": "dog"}`: false,
		`{"execution_id": ""}`:    false,
		`{"execution_id": 1}`:     false,
		`["cat"]`:                 false,
		`not JSON`:                false,
		``:                        false,
		`{"input_bytes": "` + strings.Repeat("A", 10_000) + `", "execution_id": "cat, beyond the searched bytes"}`: false,
	} {
		if id := traceOf(body, ""); id == "" || (id == one) != same {
			t.Errorf("%.40s has the trace %s; the execution has %s", body, id, one)
		}
	}
	if id := traceOf(`{"execution_id": "cat"}`, "00-"+traceID+"-"+first+"-01"); id != traceID {
		t.Errorf("the trace %s of the caller was replaced by %s", traceID, id)
	}
}

func TestTracing_unreachableCollectorDelaysNothing(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	tracing, err := telemetry.StartTracing(t.Context(), telemetry.Traces{Exporter: telemetry.OTLP}, "any")
	if err != nil {
		t.Fatal(err)
	}
	handled := false
	tracing.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { handled = true })).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- tracing.End() }()
	select {
	case err := <-ended:
		if err != nil || !handled {
			t.Errorf("handled: %v, End returned %v", handled, err)
		}
	case <-ctx.Done():
		t.Error("End did not return")
	}
}

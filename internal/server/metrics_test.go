package server_test

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc/health"

	"imageflow.dev/internal/server"
)

// answerWith answers a path with its status, and others with 404.
func answerWith(codes map[string]int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code, ok := codes[r.URL.Path]
		if !ok {
			code = http.StatusNotFound
		}
		w.WriteHeader(code)
	})
}

// requestReader reads the metrics of this process. The instruments keep the first provider.
var requestReader = sync.OnceValue(func() sdk.Reader {
	reader := sdk.NewManualReader()
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	return reader
})

// Callers cannot create labels.
func TestRequestDuration_byMethodAndOutcome(t *testing.T) {
	reader, role := requestReader(), "test "+rand.Text()
	codes := map[string]int{"/v1/resize": 200, "/v1/resize/full": 429, "/v1/executions/some/id": 200, "/notifications": 503,
		"/": 202}
	s, err := server.Listen(server.Config{Role: role, Address: "127.0.0.1:0", BodyBytes: 1 << 20}, nil,
		answerWith(codes), health.NewServer())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go func() { _ = s.Run(ctx) }()
	for _, path := range []string{
		"/v1/made-up", "/v1/resize", "/v1/resize/full", "/v1/executions/some/id", "/v1/executions/other", "/notifications",
		"/", "/health/liveness",
	} {
		resp, err := http.Post("http://"+s.Address()+path, "text/plain", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	want := []string{
		"event / 202 ok", "json /v1/executions 200 ok", "json /v1/executions 404 refused", "json /v1/resize 200 ok",
		"json /v1/resize 429 busy", "json other 404 refused", "json other 503 failed",
	}
	var got []string
	for len(got) < len(want) && ctx.Err() == nil { // the last request may not be recorded yet
		got = measured(t, reader, role)
		time.Sleep(time.Millisecond)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// measured lists the labels of the recorded requests to a role.
func measured(t *testing.T, reader sdk.Reader, role string) []string {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != "imageflow.request.duration" {
				continue
			}
			for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
				value := func(name string) string {
					v, _ := p.Attributes.Value(attribute.Key(name))
					return v.AsString()
				}
				if value("role") == role && p.Count == 1 {
					lines = append(lines, strings.Join([]string{value("protocol"), value("method"), value("code"), value("outcome")}, " "))
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

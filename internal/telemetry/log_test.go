package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"imageflow.dev/internal/telemetry"
)

func TestLogHandler_addsTraceAndExecution(t *testing.T) {
	var out bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(telemetry.LogHandler(slog.NewJSONHandler(&out, nil))).With("role", "resize"))
	tracing, received := start(t, "imageflow-resize")
	var id string
	tracing.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		id = trace.SpanContextFromContext(r.Context()).TraceID().String()
		ctx, job := telemetry.StartJob(r.Context(), "resize", time.Now())
		ctx = job.SetExecution(ctx, "cat")
		slog.InfoContext(ctx, "within")
		job.End(ctx, "done", nil)
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil))
	slog.Info("outside")
	end(t, tracing)

	type line struct {
		Msg, Role, Execution, Outcome string
		Trace                         string `json:"trace_id"`
		Span                          string `json:"span_id"`
	}
	var job string
	for _, s := range received.Spans() {
		if s.Name == "resize" {
			job = s.ID
		}
	}
	for _, want := range []line{
		{"within", "resize", "cat", "", id, job}, {"job", "resize", "cat", "done", id, job}, {"outside", "resize", "", "", "", ""},
	} {
		text, _ := out.ReadBytes('\n')
		var got line
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Errorf("got  %s%v, want %+v", text, err, want)
		}
	}
	if out.Len() > 0 {
		t.Errorf("more lines than expected: %s", &out)
	}
}

package server

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc/codes"

	"imageflow.dev/internal/metrics"
)

var requestDuration = metrics.Histogram("imageflow.request.duration", "s",
	"time of a request, by role, protocol, method, code and outcome: ok, refused, busy, failed or cancelled", metrics.LatencyBounds)

// requestMetrics measures the requests to the server of a role.
type requestMetrics struct {
	role string
	// known holds the methods that were answered successfully once. All others
	// share one label, so that callers cannot create labels.
	known sync.Map
}

// unknownMethod is the label of all methods that are not known.
const unknownMethod = "other"

// measure measures every request to next except health and reflection.
func (q *requestMetrics) measure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/health/") || strings.HasPrefix(r.URL.Path, "/grpc.") {
			next.ServeHTTP(w, r)
			return
		}
		start, recorder := time.Now(), &statusRecorder{ResponseWriter: w}
		returned := false
		defer func() { q.record(r, recorder, returned, time.Since(start)) }() // also if next panics
		next.ServeHTTP(recorder, r)
		returned = true
	})
}

func (q *requestMetrics) record(r *http.Request, w *statusRecorder, returned bool, took time.Duration) {
	status := cmp.Or(w.status, http.StatusOK)
	protocol, code, outcome := "json", strconv.Itoa(status), httpOutcome(status)
	switch {
	case isRPC(r):
		n, _ := strconv.Atoi(w.Header().Get("Grpc-Status")) // a trailer, which grpc has set by now
		protocol, code, outcome = "grpc", codes.Code(n).String(), rpcOutcome(codes.Code(n))
	case r.URL.Path == "/":
		protocol = "event"
	}
	if !returned {
		outcome = "failed"
	}
	if r.Context().Err() != nil && outcome == "failed" {
		outcome = "cancelled" // the caller has gone
	}
	requestDuration.Record(context.WithoutCancel(r.Context()), took.Seconds(), metric.WithAttributes(
		attribute.String("role", q.role), attribute.String("protocol", protocol), attribute.String("code", code),
		attribute.String("outcome", outcome), attribute.String("method", q.method(r.URL.Path, outcome == "ok" || protocol == "event"))))
}

// method returns the label of a path: its first two segments. It learns the path if
// it exists, and returns unknownMethod for paths that it has not learned.
func (q *requestMetrics) method(path string, exists bool) string {
	segments := strings.SplitN(path, "/", 4)
	method := "/" + strings.Join(segments[1:min(len(segments), 3)], "/")
	if exists {
		q.known.Store(method, true)
	} else if _, known := q.known.Load(method); !known {
		return unknownMethod
	}
	return method
}

func httpOutcome(status int) string {
	switch {
	case status < http.StatusBadRequest:
		return "ok"
	case status == http.StatusTooManyRequests:
		return "busy"
	case status < http.StatusInternalServerError:
		return "refused"
	}
	return "failed"
}

func rpcOutcome(code codes.Code) string {
	switch code {
	case codes.OK:
		return "ok"
	case codes.ResourceExhausted:
		return "busy"
	case codes.Canceled:
		return "cancelled"
	case codes.Unknown, codes.DeadlineExceeded, codes.Internal, codes.Unavailable, codes.DataLoss:
		return "failed"
	}
	return "refused"
}

// statusRecorder keeps the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	if status >= 200 { // 1xx answers are interim
		w.status = cmp.Or(w.status, status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Flush implements http.Flusher, which grpc requires.
func (w *statusRecorder) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Unwrap is for http.ResponseController.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

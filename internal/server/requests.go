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

// requests measures what arrives at the server of a role.
type requests struct {
	role string
	// known are the methods that were once answered well. All others are one,
	// so that callers cannot make up labels.
	known sync.Map
}

// otherMethod stands for all methods that are not known.
const otherMethod = "other"

// measure measures every request to next but those for health and reflection.
func (q *requests) measure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/health/") || strings.HasPrefix(r.URL.Path, "/grpc.") {
			next.ServeHTTP(w, r)
			return
		}
		start, a := time.Now(), &answer{ResponseWriter: w}
		served := false
		defer func() { q.record(r, a, served, time.Since(start)) }() // also where next panics
		next.ServeHTTP(a, r)
		served = true
	})
}

func (q *requests) record(r *http.Request, a *answer, served bool, took time.Duration) {
	protocol, code, end := "json", strconv.Itoa(cmp.Or(a.status, http.StatusOK)), httpEnd(cmp.Or(a.status, http.StatusOK))
	switch {
	case isRPC(r):
		n, _ := strconv.Atoi(a.Header().Get("Grpc-Status")) // a trailer that grpc has set by now
		protocol, code, end = "grpc", codes.Code(n).String(), rpcEnd(codes.Code(n))
	case r.URL.Path == "/":
		protocol = "event"
	}
	if !served {
		end = "failed"
	}
	if r.Context().Err() != nil && end == "failed" {
		end = "cancelled" // by the caller, who has gone
	}
	requestDuration.Record(context.WithoutCancel(r.Context()), took.Seconds(), metric.WithAttributes(
		attribute.String("role", q.role), attribute.String("protocol", protocol), attribute.String("code", code),
		attribute.String("outcome", end), attribute.String("method", q.method(r.URL.Path, end == "ok" || protocol == "event"))))
}

// method returns the first two parts of a path that no caller has chosen, or that
// was once answered well.
func (q *requests) method(path string, ours bool) string {
	parts := strings.SplitN(path, "/", 4)
	method := "/" + strings.Join(parts[1:min(len(parts), 3)], "/")
	if ours {
		q.known.Store(method, true)
	} else if _, known := q.known.Load(method); !known {
		return otherMethod
	}
	return method
}

func httpEnd(status int) string {
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

func rpcEnd(code codes.Code) string {
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

// answer remembers the status.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	if status >= 200 { // no interim one
		a.status = cmp.Or(a.status, status)
	}
	a.ResponseWriter.WriteHeader(status)
}

// Flush is what grpc asks of a ResponseWriter.
func (a *answer) Flush() { _ = http.NewResponseController(a.ResponseWriter).Flush() }

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

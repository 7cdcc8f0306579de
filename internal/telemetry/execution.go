package telemetry

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"imageflow.dev/internal/jsonlimit"
)

type executionKey struct{}

// WithExecution returns a context with an execution id. Log records have the id as an
// attribute. The first span of a trace takes the trace id of the execution.
func WithExecution(ctx context.Context, id string) context.Context {
	if id == "" {
		return ctx
	}
	return context.WithValue(ctx, executionKey{}, id)
}

func executionOf(ctx context.Context) string {
	id, _ := ctx.Value(executionKey{}).(string)
	return id
}

// idGenerator generates the ids of spans and traces. The trace id of an execution is a
// hash of its execution id. So the calls of one execution share a trace even if the
// caller, such as Argo, propagates none, and a sampler, which decides by trace id,
// takes all of them or none.
type idGenerator struct{}

// NewIDs returns the ids of a trace and of its first span.
func (g idGenerator) NewIDs(ctx context.Context) (id trace.TraceID, span trace.SpanID) {
	if execution := executionOf(ctx); execution != "" {
		digest := sha256.Sum256([]byte("imageflow execution " + execution))
		id = trace.TraceID(digest[:16])
	}
	for !id.IsValid() {
		rand.Read(id[:])
	}
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID returns the id of a span.
func (idGenerator) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	for !id.IsValid() {
		rand.Read(id[:])
	}
	return id
}

// maxPeek is the number of bytes of a request that are searched for its execution id.
const maxPeek = 4 << 10

// JSON is Handler for JSON requests. A request without a trace that has an execution id
// joins the trace of the execution.
func (t *Tracing) JSON(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	traced := t.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Traceparent") == "" && strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			body := bufio.NewReaderSize(r.Body, maxPeek)
			begin, _ := body.Peek(maxPeek) // a later Read returns the error again
			r = r.WithContext(WithExecution(r.Context(), jsonlimit.StringField(begin, "execution_id", "executionId")))
			r.Body = struct {
				io.Reader
				io.Closer
			}{body, r.Body}
		}
		traced.ServeHTTP(w, r)
	})
}

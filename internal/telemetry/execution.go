package telemetry

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

type executionKey struct{}

// WithExecution returns a context of which logs tell the execution, and whose
// next span, if it is the first of a trace, begins the execution's own one.
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

// ids makes the ids of spans and traces. The trace of an execution follows from
// its id, so that calls about one execution have one trace also where the caller,
// as Argo, does not tell them of it; and that a sampler, which goes by the
// trace's id, takes all of them or none.
type ids struct{}

// NewIDs returns the ids of a trace and of its first span.
func (g ids) NewIDs(ctx context.Context) (id trace.TraceID, span trace.SpanID) {
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
func (ids) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	for !id.IsValid() {
		rand.Read(id[:])
	}
	return id
}

// maxPeek is how much of a request is looked at for its execution.
const maxPeek = 4 << 10

// JSON is Handler for requests in JSON. One that names an execution and is part
// of no trace is part of that of the execution.
func (t *Tracing) JSON(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	traced := t.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Traceparent") == "" && strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			body := bufio.NewReaderSize(r.Body, maxPeek)
			begin, _ := body.Peek(maxPeek) // an error comes again
			r = r.WithContext(WithExecution(r.Context(), executionIn(begin)))
			r.Body = struct {
				io.Reader
				io.Closer
			}{body, r.Body}
		}
		traced.ServeHTTP(w, r)
	})
}

// executionIn returns the execution that a request in JSON, or its begin, names.
func executionIn(request []byte) string {
	d := json.NewDecoder(bytes.NewReader(request))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return ""
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return ""
		}
		var value any
		if d.Decode(&value) != nil {
			return ""
		}
		if id, ok := value.(string); ok && (name == "execution_id" || name == "executionId") {
			return id
		}
	}
	return ""
}

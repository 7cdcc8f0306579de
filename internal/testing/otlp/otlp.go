// Package otlp receives spans in tests: the service of OpenTelemetry's
// protocol, by gRPC and over HTTP.
package otlp

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// Span is a received span.
type Span struct {
	Service, Name string
	// Trace, ID and Parent are in hexadecimal; the first of a trace has no
	// Parent.
	Trace, ID, Parent string
	Start, End        time.Time
	Attributes        map[string]string
	Failed            bool
}

// Receiver keeps what it is sent.
type Receiver struct {
	collector.UnimplementedTraceServiceServer
	// GRPC and HTTP are the URLs of the two endpoints.
	GRPC, HTTP string

	mutex sync.Mutex
	spans []Span
}

// Start starts a receiver on ports of its own, until the test ends.
func Start(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rpc := grpc.NewServer()
	collector.RegisterTraceServiceServer(rpc, r)
	go func() { _ = rpc.Serve(listener) }()
	t.Cleanup(rpc.Stop)
	plain := httptest.NewServer(http.HandlerFunc(r.post))
	t.Cleanup(plain.Close)
	r.GRPC, r.HTTP = "http://"+listener.Addr().String(), plain.URL
	return r
}

// Export takes spans by gRPC.
func (r *Receiver) Export(
	_ context.Context, req *collector.ExportTraceServiceRequest,
) (*collector.ExportTraceServiceResponse, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, of := range req.GetResourceSpans() {
		service := attributes(of.GetResource().GetAttributes())["service.name"]
		for _, scope := range of.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				r.spans = append(r.spans, span(service, s))
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// post takes spans over HTTP.
func (r *Receiver) post(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	export := &collector.ExportTraceServiceRequest{}
	if err != nil || req.URL.Path != "/v1/traces" || proto.Unmarshal(body, export) != nil {
		http.Error(w, "no spans", http.StatusBadRequest)
		return
	}
	answer, _ := r.Export(req.Context(), export)
	text, _ := proto.Marshal(answer)
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(text)
}

// Spans returns what has been received so far.
func (r *Receiver) Spans() []Span {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return append([]Span(nil), r.spans...)
}

func span(service string, s *tracev1.Span) Span {
	return Span{
		Service:    service,
		Name:       s.GetName(),
		Trace:      hex.EncodeToString(s.GetTraceId()),
		ID:         hex.EncodeToString(s.GetSpanId()),
		Parent:     hex.EncodeToString(s.GetParentSpanId()),
		Start:      time.Unix(0, int64(s.GetStartTimeUnixNano())),
		End:        time.Unix(0, int64(s.GetEndTimeUnixNano())),
		Attributes: attributes(s.GetAttributes()),
		Failed:     s.GetStatus().GetCode() == tracev1.Status_STATUS_CODE_ERROR,
	}
}

func attributes(all []*common.KeyValue) map[string]string {
	texts := map[string]string{}
	for _, a := range all {
		texts[a.GetKey()] = a.GetValue().GetStringValue()
	}
	return texts
}

// Package imageflow is the gateway as a Knative Function, what `func build` wraps:
// it makes one Function with New, calls Start with the environment, and Handle for
// each request. func.yaml describes it.
package imageflow

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"imageflow.dev/internal/gateway"
)

const (
	// timeout leaves time for an answer before func's server ends a request, at 30 s.
	timeout = 25 * time.Second
	// maxBody is the size of a request, and of an answer of a processor, in bytes.
	maxBody = 96 << 20
)

// endpoints are the variables of the processors, and where these are when a
// variable is not set.
var endpoints = map[string]struct{ variable, otherwise string }{
	"resize": {"RESIZE_GRPC_ENDPOINT", "resize-grpc-service:80"},
	"detect": {"AI_DETECTION_GRPC_ENDPOINT", "ai-detection-grpc-service:80"},
	"filter": {"FILTER_GRPC_ENDPOINT", "filter-grpc-service:80"},
}

// Function answers HTTP with JSON in front of the processors.
type Function struct {
	handler atomic.Pointer[http.Handler]
	conns   map[string]*grpc.ClientConn
}

// New returns a function that is ready once it has started.
func New() *Function { return &Function{conns: map[string]*grpc.ClientConn{}} }

// Start connects to the processors that the environment names. With a
// GATEWAY_TOKEN there, callers must send it.
func (f *Function) Start(ctx context.Context, env map[string]string) error {
	executions := &gateway.Executions{Missing: "a Knative Function of the gateway looks no executions up"}
	pipeline := &gateway.Pipeline{
		Processors: f.conns, Missing: "a Knative Function of the gateway reads no written picture", MaxBytes: maxBody, Timeout: timeout,
	}
	backends := []gateway.Backend{executions.Backend(), pipeline.Backend()}
	for name, endpoint := range endpoints {
		conn, err := grpc.NewClient(cmp.Or(env[endpoint.variable], endpoint.otherwise),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxBody), grpc.MaxCallSendMsgSize(maxBody)))
		if err != nil {
			return err
		}
		f.conns[name] = conn
		backends = append(backends, gateway.Backend{Register: gateway.Services[name], Conn: conn})
	}
	handler, err := gateway.New(ctx, timeout, maxBody, backends...)
	if err != nil {
		return err
	}
	handler = gateway.Token(env["GATEWAY_TOKEN"]).RequireToken(handler)
	f.handler.Store(&handler)
	return nil
}

// Ready says whether Start has finished: func starts a function beside its server.
func (f *Function) Ready(context.Context) (bool, error) { return f.handler.Load() != nil, nil }

// Handle answers `/v1/...`, and 503 before Start has finished.
func (f *Function) Handle(w http.ResponseWriter, r *http.Request) {
	handler := f.handler.Load()
	if handler == nil {
		http.Error(w, "starting", http.StatusServiceUnavailable)
		return
	}
	(*handler).ServeHTTP(w, r)
}

// Stop closes the connections.
func (f *Function) Stop(context.Context) error {
	var errs []error
	for _, conn := range f.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

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

	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/processors"
)

const (
	// timeout leaves time for an answer before func's server ends a request, at 30 s.
	timeout = 25 * time.Second
	// maxBody is the size of a request, and of an answer of a processor, in bytes.
	maxBody = 96 << 20
)

// Function answers HTTP with JSON in front of the processors.
type Function struct {
	handler atomic.Pointer[http.Handler]
	conns   gateway.Processors
}

// New returns a function that is ready once it has started.
func New() *Function { return &Function{} }

// Start connects to the processors that the environment names. With a
// GATEWAY_TOKEN there, callers must send it.
func (f *Function) Start(ctx context.Context, env map[string]string) error {
	conns, err := gateway.Dial(func(p processors.Info) string {
		return cmp.Or(env[p.EndpointVariable], p.DefaultEndpoint(env["PROCESSOR_DOMAIN"]))
	}, maxBody)
	if err != nil {
		return err
	}
	executions := &gateway.Executions{Missing: "a Knative Function of the gateway looks no executions up"}
	pipeline := &gateway.Pipeline{
		Processors: conns, Missing: "a Knative Function of the gateway reads no written picture", MaxBytes: maxBody, Timeout: timeout,
	}
	handler, err := gateway.New(ctx, timeout, maxBody, append(conns.Backends(), executions.Backend(), pipeline.Backend())...)
	if err != nil {
		return errors.Join(err, conns.Close())
	}
	f.conns = conns
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
	return f.conns.Close()
}

// Package imageflow is the gateway as a Knative Function, which func.yaml describes.
// func's scaffolding creates one Function with New, calls Start with the environment,
// and calls Handle for each request.
package imageflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/signature"
)

const (
	// timeout is below the 30 s after which func's server ends a request.
	timeout = 25 * time.Second
	// maxBody limits a request, and a response of a processor, in bytes.
	maxBody = 96 << 20
)

// Function serves JSON and calls the processors by gRPC.
type Function struct {
	handler atomic.Pointer[http.Handler]
	conns   gateway.Processors
}

// New returns a Function. Call Start before Handle.
func New() *Function { return &Function{} }

// Start connects to the processors that the environment names. If the environment has
// a GATEWAY_TOKEN, callers must send it. With EVENT_SIGNING_KEYS, the function also runs the pipelines of
// PRESETS_FILE for signed events.
func (f *Function) Start(ctx context.Context, env map[string]string) error {
	token := env["GATEWAY_TOKEN"]
	if token != "" {
		if err := gateway.CheckToken(token); err != nil {
			return fmt.Errorf("GATEWAY_TOKEN %w", err)
		}
	}
	conns, err := gateway.Dial(func(p processors.Info) string {
		return cmp.Or(env[p.EndpointVariable], p.DefaultEndpoint(env["PROCESSOR_DOMAIN"]))
	}, maxBody)
	if err != nil {
		return err
	}
	set, err := presets.Load(env["PRESETS_FILE"])
	if err != nil {
		return errors.Join(err, conns.Close())
	}
	executions := &gateway.Executions{Missing: "the gateway as a Knative Function does not look up executions"}
	pipeline := &gateway.Pipeline{
		Processors: conns, Presets: set, Missing: "the gateway as a Knative Function does not read stored images",
		MaxBytes: maxBody, Timeout: timeout,
	}
	handler, err := gateway.New(ctx, timeout, maxBody, append(conns.Backends(), executions.Backend(), pipeline.Backend())...)
	if err != nil {
		return errors.Join(err, conns.Close())
	}
	if keys := env["EVENT_SIGNING_KEYS"]; keys != "" {
		signer, err := signature.New(strings.Split(keys, ","), false)
		if err != nil {
			return errors.Join(err, conns.Close())
		}
		handler = gateway.RouteEvents(&gateway.Events{Pipeline: pipeline, Signer: signer}, handler)
	}
	f.conns = conns
	handler = gateway.Token(token).RequireToken(handler)
	f.handler.Store(&handler)
	return nil
}

// Ready reports whether Start has finished. func runs Start and its server in parallel.
func (f *Function) Ready(context.Context) (bool, error) { return f.handler.Load() != nil, nil }

// Handle serves `/v1/...`. It answers 503 until Start has finished.
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

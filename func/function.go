// Package function is a Knative Function for calls in JSON: it passes each call to the processor that answers
// it. func.yaml describes it. func's scaffolding creates one Function with New, calls Start with the
// environment, and calls Handle for each request.
//
// The module needs only the standard library: func links it with modules of its own whose versions are fixed,
// and func 1.21 to 1.23 do not build a function that needs a newer version of one of them.
package function

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
)

// Function passes calls to the processors.
type Function struct {
	handler atomic.Pointer[http.Handler]
}

// New returns a Function. Call Start before Handle.
func New() *Function { return &Function{} }

// Start reads the environment: the addresses of the processors, and GATEWAY_TOKEN, which callers must then send.
func (f *Function) Start(_ context.Context, env map[string]string) error {
	token := env["GATEWAY_TOKEN"]
	if n := len(token); n > 0 && n < minTokenBytes {
		return fmt.Errorf("GATEWAY_TOKEN has %d bytes but needs at least %d", n, minTokenBytes)
	}
	handler := requireToken(token, newRoutes(env))
	f.handler.Store(&handler)
	return nil
}

// Ready reports whether Start has finished. func runs Start and its server in parallel.
func (f *Function) Ready(context.Context) (bool, error) { return f.handler.Load() != nil, nil }

// Handle serves `/` and `/v1/...`. It answers 503 until Start has finished.
func (f *Function) Handle(w http.ResponseWriter, r *http.Request) {
	handler := f.handler.Load()
	if handler == nil {
		answerError(w, http.StatusServiceUnavailable, "the function is starting")
		return
	}
	(*handler).ServeHTTP(w, r)
}

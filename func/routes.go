package function

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"
)

// timeout is below the 30 s after which func's server ends a request.
const timeout = 25 * time.Second

// processor is a Knative Service that answers calls in JSON at its own port.
type processor struct {
	// name is the name of the step, host the name of the Service, local its address in local mode, and variable has
	// another host:port.
	name, host, local, variable string
	// calls are patterns of http.ServeMux.
	calls []string
}

// processors lists every processor with the calls that it answers.
var processors = []processor{
	{"resize", "resize-grpc-service", "127.0.0.1:8081", "RESIZE_GRPC_ENDPOINT", []string{
		"POST /v1/resize", "POST /v1/info", "GET /v1/health/resize", "GET /v1/formats",
	}},
	{"detect", "ai-detection-grpc-service", "127.0.0.1:8082", "AI_DETECTION_GRPC_ENDPOINT", []string{
		"POST /v1/detect", "GET /v1/health/detect", "GET /v1/models", "GET /v1/models/{name}",
	}},
	{"filter", "filter-grpc-service", "127.0.0.1:8083", "FILTER_GRPC_ENDPOINT", []string{
		"POST /v1/filter", "GET /v1/health/filter",
	}},
}

// newRoutes returns a handler of all calls. env has the host:port of each processor; without it, the processor is
// the Service in the DNS domain PROCESSOR_DOMAIN, or without a domain the processor of local mode. func 1.21 runs a
// function with neither.
func newRoutes(env map[string]string) http.Handler {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 128 // the concurrency limit in func.yaml
	transport.Proxy = nil
	mux := http.NewServeMux()
	for _, p := range processors {
		address := p.local
		if domain := env["PROCESSOR_DOMAIN"]; domain != "" {
			address = p.host + "." + domain + ":80"
		}
		target := &url.URL{Scheme: "http", Host: cmp.Or(env[p.variable], address)}
		proxy := p.proxy(target, transport)
		for _, call := range p.calls {
			mux.Handle(call, proxy)
			method, path, _ := strings.Cut(call, " ")
			mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Allow", method)
				answerError(w, http.StatusMethodNotAllowed, path+" takes "+method+", not "+r.Method)
			})
		}
	}
	mux.HandleFunc("/{$}", describe)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answerError(w, http.StatusNotFound, r.Method+" "+r.URL.Path+" is no call of this function; GET / lists them. "+
			"The Service grpc-gateway answers all calls of the contract")
	})
	return mux
}

// proxy passes calls to the processor. Bodies are streamed in both directions; the processor limits their size.
func (p processor) proxy(target *url.URL, transport http.RoundTripper) http.Handler {
	proxy := &httputil.ReverseProxy{
		Transport:    transport,
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorHandler: p.answerFailure,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		proxy.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (p processor) answerFailure(w http.ResponseWriter, _ *http.Request, err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		answerError(w, http.StatusGatewayTimeout, p.name+": no answer in time")
		return
	}
	answerError(w, http.StatusServiceUnavailable, p.name+": the processor does not answer: "+err.Error())
}

// describe answers `/`, where `func invoke` sends its message, with the calls of the function.
func describe(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Ce-Id") != "" || strings.HasPrefix(r.Header.Get("Content-Type"), "application/cloudevents") {
		answerError(w, http.StatusUnsupportedMediaType, "the function takes no events: name a processor as the subscriber")
		return
	}
	var calls []string
	for _, p := range processors {
		calls = slices.Concat(calls, p.calls)
	}
	answer(w, http.StatusOK, map[string]any{"function": "imageflow", "calls": calls})
}

// answerError answers in the form of the contract's errors in JSON, with a code of gRPC.
func answerError(w http.ResponseWriter, code int, message string) {
	codes := map[int]int{
		http.StatusUnauthorized: 16, http.StatusNotFound: 5, http.StatusMethodNotAllowed: 12,
		http.StatusUnsupportedMediaType: 3, http.StatusServiceUnavailable: 14, http.StatusGatewayTimeout: 4,
	}
	answer(w, code, map[string]any{"code": codes[code], "message": message, "details": []any{}})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // a caller that is gone
}

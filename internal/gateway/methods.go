package gateway

import (
	"context"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/klauspost/compress/gzhttp"
)

// answerHead answers HEAD as next answers GET; net/http leaves out the body.
func answerHead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			r = r.WithContext(r.Context())
			r.Method = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

// compress compresses the answers to GET for callers that accept gzip. Answers to POST are not compressed: they have
// images, in which little is left to compress.
func compress(next http.Handler) http.Handler {
	compressed := gzhttp.GzipHandler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			compressed.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// probeKey is the key of a *bool in the context of a probe of the routes. skipProbes sets it if a route matches.
type probeKey struct{}

func isProbe(r *http.Request) bool { return r.Context().Value(probeKey{}) != nil }

// skipProbes is a middleware of the routes. A probe ends there.
func skipProbes(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, path map[string]string) {
		if found, ok := r.Context().Value(probeKey{}).(*bool); ok {
			*found = true
			return
		}
		next(w, r, path)
	}
}

// allowedMethods returns the methods that the path of a request supports, as the Allow header has them.
func allowedMethods(mux *runtime.ServeMux, r *http.Request) string {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		found := false
		probe := r.WithContext(context.WithValue(r.Context(), probeKey{}, &found))
		probe.Method = method
		if mux.ServeHTTP(noAnswer{}, probe); found {
			methods = append(methods, method)
		}
		if found && method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	return strings.Join(methods, ", ")
}

// noAnswer drops the answer to a probe.
type noAnswer struct{}

// Header returns a header that nobody reads.
func (noAnswer) Header() http.Header { return http.Header{} }

// Write drops the bytes.
func (noAnswer) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader drops the status.
func (noAnswer) WriteHeader(int) {}

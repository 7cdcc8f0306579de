// Package plainproxy makes a store one that lacks optional parts of S3, for tests.
package plainproxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// Start starts a proxy before a store and returns its address, host:port. Requests about tags, and
// conditional writes and deletions, are answered as stores answer that do not implement them.
func Start(t testing.TB, backend string) string {
	t.Helper()
	store := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: backend})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isConditional := r.Header.Get("If-Match")+r.Header.Get("If-None-Match") != ""
		isRead := r.Method == http.MethodGet || r.Method == http.MethodHead
		if r.URL.Query().Has("tagging") || isConditional && !isRead {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusNotImplemented)
			fmt.Fprint(w, `<Error><Code>NotImplemented</Code><Message>This request is not implemented.</Message></Error>`)
			return
		}
		store.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front.Listener.Addr().String()
}

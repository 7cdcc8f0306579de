package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"imageflow.dev/internal/gateway"
)

func TestCORS_onlyGivenOrigins(t *testing.T) {
	const ours = "https://app.example"
	for _, c := range []struct {
		origins        []string
		method, origin string
		code           int
		allowed        string
	}{
		{nil, http.MethodOptions, ours, http.StatusTeapot, ""},
		{nil, http.MethodPost, ours, http.StatusTeapot, ""},
		{[]string{ours}, http.MethodOptions, ours, http.StatusNoContent, ours},
		{[]string{ours}, http.MethodPost, ours, http.StatusTeapot, ours},
		{[]string{ours}, http.MethodPost, "", http.StatusTeapot, ""},
		{[]string{ours}, http.MethodOptions, ours + ".evil", http.StatusTeapot, ""},
		{[]string{ours}, http.MethodPost, "http://app.example", http.StatusTeapot, ""},
	} {
		h := gateway.CORS(c.origins, http.HandlerFunc(func(w http.ResponseWriter,
			_ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
		}))
		r := httptest.NewRequest(c.method, "/v1/resize", nil)
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Origin", c.origin)
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		if got := answer.Header().Get("Access-Control-Allow-Origin"); answer.Code != c.code || got != c.allowed {
			t.Errorf("%+v: %d, allowed %q", c, answer.Code, got)
		}
	}
}

package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"imageflow.dev/internal/gateway"
)

// guarded returns the URL of a handler that answers with the path and the header it
// received.
func guarded(t *testing.T, token gateway.Token) string {
	s := httptest.NewServer(token.RequireToken(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"path":"` + r.URL.Path + `","authorization":"` + r.Header.Get("Authorization") + `"}`))
	})))
	t.Cleanup(s.Close)
	return s.URL
}

func TestRequireToken_refusesOthers(t *testing.T) {
	url := guarded(t, "secret")
	for _, c := range []struct {
		path, authorization string
		code                int
	}{
		{"/v1/resize", "", 401}, {"/v1/resize", "Bearer", 401}, {"/v1/resize", "Bearer wrong", 401},
		{"/v1/resize", "Bearer secret2", 401},
		{"/v1/resize", "secret", 401}, {"/v1/resize", "Basic secret", 401}, {"/v1/executions/health", "", 401},
		{"/%76%31/resize", "", 401},
		{"/v1/pipeline", "Bearer secret", 200}, {"/v1/pipeline", "bearer secret", 200},
		{"/v1/health/resize", "", 200}, {"/openapi.json", "", 200}, {"/proto", "", 200}, {"/proto/x", "", 401},
	} {
		resp, text := ask(t, "POST", url+c.path, "", "Authorization", c.authorization)
		if resp.StatusCode != c.code || strings.Contains(text, "secret") {
			t.Errorf("%s with %q: %d %s", c.path, c.authorization, resp.StatusCode, text)
		}
		if c.code == 401 && (resp.Header.Get("WWW-Authenticate") != "Bearer" || !strings.HasPrefix(text, `{"code":16,"message":"`)) {
			t.Errorf("%s: %v %s", c.path, resp.Header, text)
		}
	}
}

// All requests pass unchanged.
func TestRequireToken_emptyToken(t *testing.T) {
	if resp, text := ask(t, "POST", guarded(t, "")+"/v1/resize", "", "Authorization",
		"Bearer theirs"); resp.StatusCode != 200 || !strings.Contains(text, "Bearer theirs") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

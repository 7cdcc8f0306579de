package gateway_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestGateway_refusesParametersOfPathsWithoutAny: a misspelt filter is an error at every path of the contract.
func TestGateway_refusesParametersOfPathsWithoutAny(t *testing.T) {
	url := startWatched(t)
	for _, path := range []string{"/v1/chains", "/v1/formats", "/v1/models", "/v1/models/yolo", "/v1/executions"} {
		resp, got := ask(t, "GET", url+path+"?stauts=failed", "")
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(got, `{"field":"stauts","description":"no such parameter"`) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, got)
		}
		if resp, got := ask(t, "GET", url+path+"?a=%zz", ""); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s, not URL-encoded: %d %s", path, resp.StatusCode, got)
		}
	}
	if resp, got := ask(t, "GET", url+"/v1/formats", ""); resp.StatusCode == http.StatusBadRequest {
		t.Errorf("without parameters: %d %s", resp.StatusCode, got)
	}
}

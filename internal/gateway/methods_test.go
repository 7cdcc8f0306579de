package gateway_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/index"
)

// raw sends a request and returns the answer with its body as it came: net/http does not decompress it.
func raw(t *testing.T, method, url string, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

func TestGateway_namesTheMethodsOfAPath(t *testing.T) {
	url := startWatched(t)
	for _, c := range []struct{ method, path, allow string }{
		{"GET", "/v1/resize", "POST"},
		{"HEAD", "/v1/resize", "POST"},
		{"PUT", "/v1/models/yolo", "GET, HEAD"},
		{"DELETE", "/v1/info", "GET, HEAD, POST"},
		{"OPTIONS", "/openapi.json", "GET, HEAD"},
		{"POST", gateway.WatchPath, "GET"},
		{"HEAD", gateway.WatchPath, "GET"},
	} {
		resp, body := raw(t, c.method, url+c.path)
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %s, Allow %q, want %q", c.method, c.path, resp.Status, resp.Header.Get("Allow"), c.allow)
		}
		if c.method != "HEAD" && !json.Valid(body) {
			t.Errorf("%s %s: %s", c.method, c.path, body)
		}
	}
	if resp, _ := raw(t, "PUT", url+"/v1/nothing"); resp.StatusCode != http.StatusNotFound || resp.Header.Get("Allow") != "" {
		t.Errorf("a path that does not exist: %s, Allow %q", resp.Status, resp.Header.Get("Allow"))
	}
}

// startWatched returns the address of a gateway with all services.
func startWatched(t *testing.T) string {
	t.Helper()
	s := start(t)
	x := &gateway.Executions{Store: s.store, Hub: index.NewHub(index.NewReader(s.store, bucket), 4), Bucket: bucket}
	h, err := gateway.New(t.Context(), time.Minute, maxBody, append(s.pipeline.Processors.Backends(), x.Backend())...)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	t.Cleanup(x.Hub.Close)
	return server.URL
}

func TestGateway_answersHEADAsGETWithoutABody(t *testing.T) {
	s := start(t)
	for path, code := range map[string]int{"/v1/presets": 200, "/openapi.json": 200, "/v1/nothing": 404} {
		got, body := raw(t, "GET", s.url+path)
		head, none := raw(t, "HEAD", s.url+path)
		if got.StatusCode != code || head.StatusCode != code || len(body) == 0 || len(none) != 0 ||
			head.Header.Get("Content-Type") != got.Header.Get("Content-Type") {
			t.Errorf("%s: GET %s, HEAD %s with %d bytes of %s", path, got.Status, head.Status, len(none), head.Header.Get("Content-Type"))
		}
	}
}

func TestGateway_compressesAnswersToGET(t *testing.T) {
	s := start(t)
	_, plain := raw(t, "GET", s.url+"/openapi.json")
	resp, body := raw(t, "GET", s.url+"/openapi.json", "Accept-Encoding", "br, gzip;q=0.5")
	unpacked, err := gzip.NewReader(strings.NewReader(string(body)))
	if err != nil || resp.Header.Get("Content-Encoding") != "gzip" || !strings.Contains(resp.Header.Get("Vary"), "Accept-Encoding") {
		t.Fatalf("%v; %v", err, resp.Header)
	}
	if text, err := io.ReadAll(unpacked); err != nil || string(text) != string(plain) || len(body) > len(plain)/4 {
		t.Errorf("%v: %d bytes, unpacked %d, want %d", err, len(body), len(text), len(plain))
	}
	if resp, _ := raw(t, "GET", s.url+"/openapi.json", "Accept-Encoding", "gzip;q=0"); resp.Header.Get("Content-Encoding") != "" {
		t.Errorf("a caller that refuses gzip gets %s", resp.Header.Get("Content-Encoding"))
	}
}

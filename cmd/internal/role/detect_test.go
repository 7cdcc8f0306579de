package role_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/test/stores"
	"imageflow.dev/test/triton"
)

// demoModels is settled before a test's S3 server changes the working directory.
var demoModels, _ = filepath.Abs("../../../functions/detect/model/repository")

// TestDetectOutlivesTriton: without Triton detect lives, says that it serves, and
// answers 503; with it, it detects.
func TestDetectOutlivesTriton(t *testing.T) {
	config, _ := stores.Start(t, stores.Local, "imageflow-files")
	server := triton.New(t, demoModels)
	for name, value := range map[string]string{
		"HOST": "127.0.0.1", "PORT": "0", "DRAIN_DELAY": "0s", "TRITON_GRPC_URL": "grpc://" + server.Address,
		"MINIO_ENDPOINT": config.Endpoint, "MINIO_ACCESS_KEY": config.AccessKey, "MINIO_SECRET_KEY": config.SecretKey,
	} {
		t.Setenv(name, value)
	}
	address, end := run(t, "detect")
	body := detectBody(t)
	detects := func(want int) {
		t.Helper()
		resp := post(t, "http://"+address+"/v1/detect", body)
		if resp.StatusCode != want {
			t.Errorf("answered %d, want %d", resp.StatusCode, want)
		}
	}
	lives := func() {
		t.Helper()
		for _, path := range []string{"/health/liveness", "/health/readiness", "/v1/health/detect"} {
			if resp, err := http.Get("http://" + address + path); err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %v, %v", path, resp, err)
			}
		}
	}
	recovers := func() {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			resp := post(t, "http://"+address+"/v1/detect", body)
			if resp.StatusCode == http.StatusOK {
				return
			}
			if resp.StatusCode != http.StatusServiceUnavailable || time.Now().After(deadline) {
				t.Fatalf("answered %d", resp.StatusCode)
			}
		}
	}
	detects(http.StatusServiceUnavailable)
	lives()
	server.Start()
	recovers()
	server.Stop()
	detects(http.StatusServiceUnavailable)
	lives()
	server.Start()
	recovers()
	if err := end(); err != nil {
		t.Error(err)
	}
}

// detectBody is a request with a picture in it.
func detectBody(t *testing.T) []byte {
	t.Helper()
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"input_bytes": picture.Bytes()})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func post(t *testing.T, url string, body []byte) *http.Response {
	t.Helper()
	resp, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp
}

// TestBackendsByEnvironment: which settings go together.
func TestBackendsByEnvironment(t *testing.T) {
	for _, c := range []struct {
		settings string
		bad      []string
	}{
		{"", nil},
		{"INFERENCE_BACKEND=onnxruntime ONNXRUNTIME_PROVIDER=cuda", nil},
		{"TRITON_GRPC_URL=triton:8001", nil},
		{"TRITON_GRPC_URL=grpc://triton:8001 INFERENCE_BACKEND=triton", nil},
		{"TRITON_GRPC_URL=[::1]:8001 INFERENCE_BACKEND=onnxruntime", nil},
		{"INFERENCE_BACKEND=triton", []string{"TRITON_GRPC_URL"}},
		{"TRITON_GRPC_URL=triton", []string{"TRITON_GRPC_URL"}},
		{"TRITON_GRPC_URL=http://triton:8001", []string{"TRITON_GRPC_URL"}},
		{
			"INFERENCE_BACKEND=tensorrt ONNXRUNTIME_PROVIDER=gpu TRITON_GRPC_URL=:8001 TRITON_TIMEOUT=0s",
			[]string{"INFERENCE_BACKEND", "ONNXRUNTIME_PROVIDER", "TRITON_GRPC_URL", "TRITON_TIMEOUT"},
		},
	} {
		t.Run(c.settings, func(t *testing.T) {
			needed(t)
			for _, setting := range strings.Fields(c.settings) {
				name, value, _ := strings.Cut(setting, "=")
				t.Setenv(name, value)
			}
			config := configOf(t, "detect")
			if err := role.Load(config); err != nil {
				t.Fatal(err)
			}
			if err := config.Validate(); c.bad != nil {
				wantNames(t, err, c.bad...)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

package role_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/testing/otlp"
	"imageflow.dev/internal/testing/stores"
	"imageflow.dev/internal/testing/triton"
)

// demoModels is an absolute path, because a test's S3 server changes the working
// directory.
var demoModels, _ = filepath.Abs("../../../functions/detect/model/repository")

// setEnvironment sets the environment of detect: a new store, and one more variable.
func setEnvironment(t *testing.T, key, value string) {
	t.Helper()
	config, _ := stores.Start(t, stores.Local, "imageflow-files")
	for name, value := range map[string]string{
		"HOST": "127.0.0.1", "PORT": "0", "DRAIN_DELAY": "0s", key: value, "EVENT_SIGNING_KEYS": signingKey,
		"MINIO_ENDPOINT": config.Endpoint, "MINIO_ACCESS_KEY": config.AccessKey, "MINIO_SECRET_KEY": config.SecretKey,
	} {
		t.Setenv(name, value)
	}
}

// runDetect runs detect in the environment of setEnvironment.
func runDetect(t *testing.T, key, value string) (address string, end func() error) {
	t.Helper()
	setEnvironment(t, key, value)
	return run(t, "detect")
}

// awaitDetection waits until detect answers 200. Until then, only 503 is allowed.
func awaitDetection(t *testing.T, address string, body []byte) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		resp := post(t, "http://"+address+"/v1/detect", body)
		if resp.StatusCode == http.StatusOK {
			return
		}
		if resp.StatusCode != http.StatusServiceUnavailable || time.Now().After(deadline) {
			t.Fatalf("got status %d", resp.StatusCode)
		}
	}
}

// withBadModel returns a copy of the demo repository with one more model, "bad", which cannot be loaded.
func withBadModel(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(demoModels)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "bad", "1"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bad", "1", "model.onnx"), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestDetect_outlivesTriton: without Triton, detect is live and ready, and returns 503.
func TestDetect_outlivesTriton(t *testing.T) {
	server := triton.New(t, demoModels)
	address, end := runDetect(t, "TRITON_GRPC_URL", "grpc://"+server.Address)
	body := detectBody(t)
	detects := func(want int) {
		t.Helper()
		resp := post(t, "http://"+address+"/v1/detect", body)
		if resp.StatusCode != want {
			t.Errorf("got status %d, want %d", resp.StatusCode, want)
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
	detects(http.StatusServiceUnavailable)
	lives()
	server.Start()
	awaitDetection(t, address, body)
	server.Stop()
	detects(http.StatusServiceUnavailable)
	lives()
	server.Start()
	awaitDetection(t, address, body)
	if err := end(); err != nil {
		t.Error(err)
	}
}

// detectBody returns a request with an embedded image.
func detectBody(t *testing.T) []byte {
	t.Helper()
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"input_bytes": encoded.Bytes()})
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

// TestDetectConfig_validatesBackends checks combinations of the backends' settings.
func TestDetectConfig_validatesBackends(t *testing.T) {
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
			"INFERENCE_BACKEND=tensorrt ONNXRUNTIME_PROVIDER=gpu TRITON_GRPC_URL=:8001 TRITON_TIMEOUT=0s " +
				"MODEL_REPOSITORY_POLL=-1s",
			[]string{
				"INFERENCE_BACKEND", "ONNXRUNTIME_PROVIDER", "TRITON_GRPC_URL", "TRITON_TIMEOUT", "MODEL_REPOSITORY_POLL",
			},
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

// listsModels checks that the list has the demo model as ready and the bad model with a reason.
func listsModels(t *testing.T, url string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct {
		Models []struct {
			Name, Reason, Layout string
			Ready, Default       bool
			Labels               []string
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || resp.StatusCode != http.StatusOK || len(list.Models) != 2 {
		t.Fatalf("%s: got status %d, %v, %v, want two models", url, resp.StatusCode, list, err)
	}
	if m := list.Models[0]; m.Name != "bad" || m.Ready || !strings.Contains(m.Reason, "bad/1/model.onnx") {
		t.Errorf("%s: got %+v, want the reason why it is bad", url, m)
	}
	if m := list.Models[1]; m.Name != "yolo" || !m.Ready || !m.Default || m.Layout != "v8" || len(m.Labels) == 0 {
		t.Errorf("%s: got %+v, want it ready, the default, and of layout v8", url, m)
	}
}

// TestDetect_startsWithBadModel: the other models work, and requests for the bad model
// fail with the reason. Detect does not start with a bad default model.
func TestDetect_startsWithBadModel(t *testing.T) {
	address, end := runDetect(t, "MODEL_REPOSITORY", withBadModel(t))
	body := detectBody(t)
	if resp := post(t, "http://"+address+"/v1/detect", body); resp.StatusCode != http.StatusOK {
		t.Errorf("default model: got status %d", resp.StatusCode)
	}
	body = append([]byte(`{"model_name": "bad", `), body[1:]...)
	resp, err := http.Post("http://"+address+"/v1/detect", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "bad/1/model.onnx") {
		t.Errorf("bad model: got status %d, %s, want 400 and the reason", resp.StatusCode, text)
	}
	t.Setenv("AI_DETECTION_GRPC_ENDPOINT", address)
	atGateway, endGateway := run(t, "gateway")
	for _, at := range []string{address, atGateway} {
		listsModels(t, "http://"+at+"/v1/models")
		describesModel(t, "http://"+at+"/v1/models/")
	}
	if err := errors.Join(endGateway(), end()); err != nil {
		t.Error(err)
	}
}

// TestDetect_badDefaultModel: the role does not start with a default model that is refused or missing.
func TestDetect_badDefaultModel(t *testing.T) {
	setEnvironment(t, "MODEL_REPOSITORY", withBadModel(t))
	for name, want := range map[string]string{"bad": "bad/1/model.onnx", "none": "the repository has bad, yolo"} {
		t.Setenv("DEFAULT_MODEL", name)
		c := configOf(t, "detect")
		if err := role.Load(c); err != nil {
			t.Fatal(err)
		}
		for _, r := range role.All {
			if r.Name != "detect" {
				continue
			}
			_, err := r.Listen(t.Context(), c, nil)
			if err == nil || !strings.Contains(err.Error(), "DEFAULT_MODEL") || !strings.Contains(err.Error(), want) {
				t.Errorf("DEFAULT_MODEL=%s: %v, want an error that contains %q", name, err, want)
			}
		}
	}
}

// TestTriton_isInTheTrace: the span of the call to Triton is a child of the inference.
func TestTriton_isInTheTrace(t *testing.T) {
	received := otlp.Start(t)
	config, _ := stores.Start(t, stores.Local, "imageflow-files")
	server := triton.New(t, demoModels)
	server.Start()
	for name, value := range map[string]string{
		"HOST": "127.0.0.1", "PORT": "0", "DRAIN_DELAY": "0s", "TRITON_GRPC_URL": server.Address,
		"EVENT_SIGNING_KEYS": signingKey,
		"MINIO_ENDPOINT":     config.Endpoint, "MINIO_ACCESS_KEY": config.AccessKey, "MINIO_SECRET_KEY": config.SecretKey,
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": received.HTTP + "/v1/traces", "OTEL_SERVICE_NAME": "my-detect",
	} {
		t.Setenv(name, value)
	}
	address, end := run(t, "detect")
	if resp := post(t, "http://"+address+"/v1/detect", detectBody(t)); resp.StatusCode != http.StatusOK {
		t.Errorf("got status %d", resp.StatusCode)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	spans := map[string]otlp.Span{}
	for _, span := range received.Spans() {
		spans[span.Name] = span
	}
	call, infer := spans["inference.GRPCInferenceService/ModelInfer"], spans["infer"]
	if infer.ID == "" || call.Parent != infer.ID || call.Service != "my-detect" {
		t.Errorf("the call %+v is not a child of the inference %+v in %+v", call, infer, spans)
	}
}

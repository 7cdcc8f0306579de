package detect_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/onnx"
	"imageflow.dev/internal/testing/triton"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestModelVersion_choosesTheVersion: requests name available versions, whose results are stored under
// different identities. Other versions are the caller's mistake.
func TestModelVersion_choosesTheVersion(t *testing.T) {
	dir := t.TempDir()
	for version, right := range map[string]float32{"1": 31, "2": 32, "3": 33} {
		triton.Save(t, onnx.Always(input, v8(object{10, 20, right, 50, []float32{0.9, 0}}), metadata()), dir, "m", version)
	}
	file := filepath.Join(dir, "m", "config.pbtxt")
	config, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	config = append(config, "version_policy { specific { versions: [1, 3] } }"...)
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	server := triton.New(t, dir)
	server.Start()
	there, err := inference.Dial(server.Address, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = there.Close() })
	here, err := inference.Open(t.Context(), dir, inference.Options{
		Library: os.Getenv("ONNXRUNTIME_LIB"), Threads: 1, Versions: 1, Accept: detect.Accept,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = here.Close() })
	for backend, r := range map[string]inference.Repository{"onnxruntime": here, "triton": there} {
		t.Run(backend, func(t *testing.T) { choosesVersions(t, r) })
	}
}

// choosesVersions expects the versions 1 and 3, of which the latter is in use.
func choosesVersions(t *testing.T, r inference.Repository) {
	p := processorOf(r, "m")
	identities := map[string]string{}
	for version, want := range map[string]string{"": "3", "1": "1", "3": "3"} {
		resp := detectIn(t, p, blackPNG(t, side, side), &request{ModelVersion: version})
		expect(t, resp, "cat/0 0.90: 10.0 20.0 3"+want+".0 50.0")
		if got := resp.GetMetadata().GetModelVersion(); got != want {
			t.Errorf("model_version %q: got version %q, want %s", version, got, want)
		}
		identity, err := p.Identity(t.Context(), &request{ModelVersion: version})
		if err != nil || identities[want] != "" && identities[want] != identity {
			t.Errorf("model_version %q: got the identity %q, %v, others %v", version, identity, err, identities)
		}
		identities[want] = identity
		got, err := detect.NewModels(r, "m").Get(t.Context(), &imageflowv1.GetModelRequest{Name: "m", Version: version})
		if err != nil || got.GetModel().GetVersion() != want || !got.GetModel().GetReady() {
			t.Errorf("version %q: described as %v, %v", version, got, err)
		}
	}
	if identities["1"] == identities["3"] {
		t.Errorf("two versions have the identity %q", identities["1"])
	}
	_, err := p.Identity(t.Context(), &request{ModelVersion: "2"})
	if kindOf(err) != "invalid" {
		t.Errorf("version 2: got %v, want invalid", err)
	}
	if _, err := detect.NewModels(r, "m").Get(t.Context(), &imageflowv1.GetModelRequest{Version: "2"}); kindOf(err) != "not found" {
		t.Errorf("version 2: described with %v, want not found", err)
	}
}

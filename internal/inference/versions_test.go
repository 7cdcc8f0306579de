package inference_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/triton"
)

// saveVersions writes the versions 1, 2 and 3 of the model m, whose output is their number, and a
// config.pbtxt with a policy.
func saveVersions(t *testing.T, dir, policy string) {
	t.Helper()
	for i, version := range []string{"1", "2", "3"} {
		triton.Save(t, constant(float32(i+1)), dir, "m", version)
	}
	file := filepath.Join(dir, "m", "config.pbtxt")
	config, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, append(config, policy...), file)
}

// run returns the output of a version.
func run(t *testing.T, r inference.Repository, version string) (v float32, err error) {
	t.Helper()
	m, err := r.Model(t.Context(), "m", version)
	if err != nil {
		return 0, err
	}
	return v, m.Infer(t.Context(), []inference.Tensor{numbers(1, 3)}, func(outputs []inference.Tensor) error {
		v = outputs[0].Data[0]
		return nil
	})
}

// TestVersions_followThePolicy: the policies of Triton make the same versions available in the process.
func TestVersions_followThePolicy(t *testing.T) {
	for policy, available := range map[string][]string{
		"": {"3"},
		"version_policy { latest { num_versions: 2 } }":    {"2", "3"},
		"version_policy: { latest: { num_versions: 9 } }":  {"1", "2", "3"},
		"version_policy { all {} }":                        {"1", "2", "3"},
		"version_policy { specific { versions: [1, 2] } }": {"1", "2"},
		"version_policy { specific { versions: [9, 2] } }": {"2"},
	} {
		dir := t.TempDir()
		saveVersions(t, dir, policy)
		for backend, start := range backends {
			t.Run(policy+" "+backend, func(t *testing.T) {
				r := start(t, dir)
				list, err := r.List(t.Context())
				if err != nil || len(list) != 1 || !slices.Equal(list[0].Available, available) || list[0].Reason != "" {
					t.Fatalf("list %+v, %v, want %v available", list, err, available)
				}
				last := float32(available[len(available)-1][0] - '0')
				if v, err := run(t, r, ""); err != nil || v != last {
					t.Errorf("got %g, %v, want version %g", v, err, last)
				}
				for _, version := range []string{"1", "2", "3", "9"} {
					v, err := run(t, r, version)
					switch {
					case slices.Contains(available, version) && (err != nil || v != float32(version[0]-'0')):
						t.Errorf("version %s: got %g, %v", version, v, err)
					case !slices.Contains(available, version) &&
						(!errors.Is(err, inference.ErrNoVersion) || !strings.Contains(err.Error(), available[0])):
						t.Errorf("version %s: got %v, want ErrNoVersion with those that are available", version, err)
					}
				}
			})
		}
	}
}

// openVersions opens a folder in which three versions are available, of which n that are not in use fit.
func openVersions(t *testing.T, n int) (string, *inference.Folder) {
	t.Helper()
	dir := t.TempDir()
	saveVersions(t, dir, "version_policy { all {} }")
	o := options()
	o.Versions = n
	return dir, openFolder(t, dir, o)
}

// TestVersions_areBounded: a version is loaded once, and takes the place of another one only if that is unused.
func TestVersions_areBounded(t *testing.T) {
	_, r := openVersions(t, 1)
	models := make([]inference.Model, 8)
	var all sync.WaitGroup
	for i := range models {
		all.Go(func() { models[i], _ = r.Model(t.Context(), "m", "1") })
	}
	all.Wait()
	if len(slices.Compact(models)) != 1 || models[0] == nil {
		t.Errorf("concurrent requests got the models %v, want one", models)
	}
	_, err := run(t, r, "2")
	var refused *inference.RefusedError
	if !errors.As(err, &refused) || !refused.Temporary || !strings.Contains(refused.Reason, "m/1") {
		t.Errorf("got %v, want a temporary refusal that names m/1", err)
	}
	if v, err := run(t, r, "3"); err != nil || v != 3 {
		t.Errorf("got %g, %v from the version in use", v, err)
	}
	r.SetUnused("m", "1")
	if v, err := run(t, r, "2"); err != nil || v != 2 {
		t.Errorf("got %g, %v, want version 2 in the place of version 1", v, err)
	}
	if err := models[0].Infer(t.Context(), []inference.Tensor{numbers(1, 3)}, nil); !errors.Is(err, inference.ErrChanged) {
		t.Errorf("version 1: got %v, want ErrChanged", err)
	}
}

// TestVersions_followTheirFiles: a version that is not in use is loaded again when its files change.
func TestVersions_followTheirFiles(t *testing.T) {
	dir, r := openVersions(t, 2)
	write(t, []byte("garbage"), dir, "m", "2", "model.onnx")
	if v, err := run(t, r, "1"); err != nil || v != 1 {
		t.Errorf("got %g, %v", v, err)
	}
	_, err := run(t, r, "2")
	var bad *inference.RefusedError
	if !errors.As(err, &bad) || bad.Temporary || !strings.Contains(bad.Reason, "version 2: ") || strings.Contains(bad.Reason, dir) {
		t.Errorf("got %v, want the reason why version 2 is refused", err)
	}
	save(t, constant(10), dir, "m", "1", "model.onnx")
	save(t, constant(20), dir, "m", "2", "model.onnx")
	refresh(t, r)
	for version, want := range map[string]float32{"1": 10, "2": 20} {
		if v, err := run(t, r, version); err != nil || v != want {
			t.Errorf("version %s: got %g, %v, want %g", version, v, err, want)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "m", "1")); err != nil {
		t.Fatal(err)
	}
	refresh(t, r)
	if _, err := run(t, r, "1"); !errors.Is(err, inference.ErrNoVersion) {
		t.Errorf("got %v from a deleted version, want ErrNoVersion", err)
	}
}

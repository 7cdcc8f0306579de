package inference_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"imageflow.dev/internal/inference"
)

// absurdFields are files that mean nothing, and a part of the error that refuses each.
func absurdFields() map[string]string {
	return map[string]string{
		"}":                                   "config.pbtxt",
		"\x00\x01\x02":                        "config.pbtxt",
		`{"name": "m"}`:                       "config.pbtxt",
		"name: m":                             "name",
		"name: \"m\"\nname: \"n\"":            "name",
		"name: \"\xff\"":                      "config.pbtxt",
		"name: \"m":                           "config.pbtxt",
		"max_batch_size: -1":                  "max_batch_size is -1",
		"max_batch_size: 1.5":                 "max_batch_size",
		"max_batch_size: many":                "max_batch_size",
		"max_batch_size: 99999999999":         "max_batch_size",
		"max_batch_size: 1 max_batch_size: 2": "max_batch_size",
		"max_batch_size { }":                  "max_batch_size",
		"instance_group { count: -1 }":        "instance_group.count is -1",
		"instance_group { count: 99999 }":     "instance_group.count is 99999",
		"instance_group { count: \"2\" }":     "count",
		"instance_group: 4":                   "instance_group",
		"version_policy { latest { num_versions: 0 } }":          "num_versions is 0",
		"version_policy { latest { num_versions: -3 } }":         "num_versions",
		"version_policy { latest { num_versions: 5000000000 } }": "num_versions",
		"version_policy { specific { versions: [-1] } }":         "version_policy.specific.versions",
		"version_policy { specific {} }":                         "version_policy.specific.versions",
		"version_policy { specific { versions: [7, 8] } }":       "lists [7 8]",
		"version_policy { specific { versions: one } }":          "versions",
		"version_policy { all {} latest { num_versions: 1 } }":   "policy_choice",
		"version_policy: \"all\"":                                "version_policy",
		"version_policy { all {} } version_policy { all {} }":    "version_policy",
	}
}

// absurdParameters are more of them, with parameters or of unreasonable size.
func absurdParameters() map[string]string {
	parameter := func(key, value string) string {
		return fmt.Sprintf("parameters { key: %q value { %s } }\n", key, value)
	}
	threads := func(n string) string { return parameter("intra_op_thread_count", fmt.Sprintf("string_value: %q", n)) }
	return map[string]string{
		"parameters {": "config.pbtxt",
		strings.Repeat("instance_group { count: 1024 }\n", 2):                                 "instance_group has 2048",
		parameter("layout", "string_value: 'v8'") + parameter("layout", "string_value: 'v8'"): "the parameter layout is given twice",
		parameter("", "string_value: 'v8'"):                                                   "parameters.key is empty",
		"parameters { key: 'layout' }":                                                        "the parameter layout has no value",
		parameter("layout", "int64_value: 3"):                                                 "layout has no value.string_value",
		parameter("layout", "string_value: 3"):                                                "string_value",
		"parameters { key: 1 value { string_value: 'x' } }":                                   "key",
		"parameters: 'x'":             "parameters",
		threads("0"):                  "intra_op_thread_count is \"0\"",
		threads("-4"):                 "intra_op_thread_count is \"-4\"",
		threads("100000"):             "intra_op_thread_count is \"100000\"",
		threads("all"):                "intra_op_thread_count is \"all\"",
		strings.Repeat("#", 1<<20+1):  "config.pbtxt has more than",
		strings.Repeat("a { ", 1<<18): "config.pbtxt",
		strings.Repeat("a { ", 1<<17) + strings.Repeat("}", 1<<17): "config.pbtxt",
		strings.Repeat("a [ ", 1<<17):                              "config.pbtxt",
	}
}

// TestModelConfig_refusesAbsurdFiles: the reason names the field, and other models work.
func TestModelConfig_refusesAbsurdFiles(t *testing.T) {
	dir, want, i := t.TempDir(), map[string]string{}, 0
	save(t, echo(3), dir, "good", "1", "model.onnx")
	all := absurdFields()
	maps.Copy(all, absurdParameters())
	for config, reason := range all {
		name := fmt.Sprint("bad", i)
		save(t, echo(3), dir, name, "1", "model.onnx")
		write(t, []byte(config), dir, name, "config.pbtxt")
		want[name] = reason
		i++
	}
	r := openFolder(t, dir, options())
	modelOf(t, r, "good")
	for name, reason := range want {
		_, err := r.Model(t.Context(), name, "")
		var refused *inference.RefusedError
		if !errors.As(err, &refused) || refused.Temporary || !strings.Contains(refused.Reason, reason) || len(refused.Reason) > 500 {
			config, _ := os.ReadFile(filepath.Join(dir, name, "config.pbtxt"))
			t.Errorf("%.80q: got %.500v, want a refusal with %q", config, err, reason)
		}
	}
}

// TestModelConfig_setsInstancesAndThreads: at most as many runs as instances happen at the same time.
func TestModelConfig_setsInstancesAndThreads(t *testing.T) {
	dir := t.TempDir()
	save(t, constant(1), dir, "m", "1", "model.onnx")
	config := `instance_group [ { count: 1 kind: KIND_CPU }, { kind: KIND_CPU } ]
		parameters { key: "intra_op_thread_count" value { string_value: "2" } }`
	write(t, []byte(config), dir, "m", "config.pbtxt")
	m := modelOf(t, openFolder(t, dir, options()), "m")
	if info := m.Info(); info.Instances != 2 || info.Threads != 2 || info.Precision != inference.Float32 {
		t.Errorf("got %d instances, %d threads and %s, want 2, 2 and FP32", info.Instances, info.Threads, info.Precision)
	}
	infer := func(ctx context.Context, use func([]inference.Tensor) error) error {
		return m.Infer(ctx, []inference.Tensor{numbers(1, 3)}, use)
	}
	nothing := func([]inference.Tensor) error { return nil }
	entered, leave := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			err := infer(t.Context(), func([]inference.Tensor) error {
				entered <- struct{}{}
				<-leave
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-entered
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := infer(short, nothing); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v from a third run, want that it waits", err)
	}
	close(leave)
	all.Wait()
	if err := infer(t.Context(), nothing); err != nil {
		t.Error(err)
	}
}

// TestLinks_stayInTheRepository: files may be links within the repository, and the folder of a model may be a
// link to anywhere. Other links are refused.
func TestLinks_stayInTheRepository(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	save(t, external(1, "x.bin"), outside, "m", "1", "model.onnx")
	for _, name := range []string{"weights", "model", "config", "labels"} {
		save(t, external(1, "x.bin"), dir, name, "1", "model.onnx")
	}
	write(t, encoded(t, constant(2)), dir, ".blobs", "model")
	write(t, nil, outside, "config.pbtxt")
	link := func(to string, path ...string) {
		t.Helper()
		file := filepath.Join(path...)
		_ = os.MkdirAll(filepath.Dir(file), 0o755)
		_ = os.Remove(file)
		if err := os.Symlink(to, file); err != nil {
			t.Fatal(err)
		}
	}
	link(filepath.Join(outside, "m"), dir, "linked")
	link("../../.blobs/model", dir, "shared", "1", "model.onnx")
	link(filepath.Join(outside, "m", "1", "x.bin"), dir, "weights", "1", "x.bin")
	link(filepath.Join(outside, "m", "1", "model.onnx"), dir, "model", "1", "model.onnx")
	link(filepath.Join(outside, "config.pbtxt"), dir, "config", "config.pbtxt")
	link(filepath.Join(outside, "config.pbtxt"), dir, "labels", "labels.txt")
	r := openFolder(t, dir, options())
	expect(t, r, "linked", 1, "1")
	expect(t, r, "shared", 2, "1")
	for _, name := range []string{"weights", "model", "config", "labels"} {
		_, err := r.Model(t.Context(), name, "")
		var refused *inference.RefusedError
		if !errors.As(err, &refused) || !strings.Contains(refused.Reason, "is a link to a file outside of the repository") {
			t.Errorf("%s: got %v, want a refusal of the link", name, err)
		}
	}
}

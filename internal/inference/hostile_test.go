package inference_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/onnx"
)

// encoded returns the file content of a model.
func encoded(t *testing.T, m onnx.Model) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m.onnx")
	save(t, m, file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, content []byte, file ...string) {
	t.Helper()
	path := filepath.Join(file...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// badModel writes a model to a folder; want is a part of the error that refuses it.
type badModel struct {
	install func(dir string)
	want    string
}

// badModels returns models whose files are wrong, and those whose graphs are.
func badModels(t *testing.T) map[string]badModel {
	all := badFiles(t)
	maps.Copy(all, badGraphs(t))
	return all
}

// file returns a function that writes a model file.
func file(t *testing.T, content []byte) func(dir string) {
	return func(dir string) { write(t, content, dir, "1", "model.onnx") }
}

func badFiles(t *testing.T) map[string]badModel {
	whole := encoded(t, echo(3))
	file := func(content []byte) func(string) { return file(t, content) }
	return map[string]badModel{
		"empty folder":  {func(dir string) { _ = os.MkdirAll(dir, 0o755) }, "no version"},
		"no version":    {func(dir string) { write(t, whole, dir, "model.onnx") }, "no version"},
		"other file":    {func(dir string) { write(t, whole, dir, "1", "other.onnx") }, "the folder has [other.onnx]"},
		"nested folder": {func(dir string) { write(t, whole, dir, "1", "model.onnx", "model.onnx") }, "m/1/model.onnx"},
		"pipe": {func(dir string) {
			write(t, nil, dir, "1", "x")
			_ = syscall.Mkfifo(filepath.Join(dir, "1", "model.onnx"), 0o600)
		}, "must be a file"},
		"3 GB": {func(dir string) {
			file(nil)(dir)
			_ = os.Truncate(filepath.Join(dir, "1", "model.onnx"), 3<<30)
		}, "must be a file of at most"},
		"empty file":        {file(nil), "m/1/model.onnx"},
		"garbage":           {file([]byte("garbage")), "m/1/model.onnx"},
		"zeros":             {file(make([]byte, 1<<20)), "m/1/model.onnx"},
		"first half":        {file(whole[:len(whole)/2]), "m/1/model.onnx"},
		"last byte missing": {file(whole[:len(whole)-1]), "m/1/model.onnx"},
		"graph of 2 GB":     {file(append([]byte{0x3a, 0xff, 0xff, 0xff, 0xff, 0x07}, whole...)), "m/1/model.onnx"},
		"graph of 16 EB":    {file(append([]byte{0x3a}, append(bytes.Repeat([]byte{0xff}, 9), 1)...)), "m/1/model.onnx"},
		"invalid config.pbtxt": {func(dir string) {
			file(whole)(dir)
			write(t, []byte("parameters {"), dir, "config.pbtxt")
		}, "config.pbtxt"},
		"labels of 2 MB": {func(dir string) {
			file(whole)(dir)
			write(t, make([]byte, 2<<20), dir, "labels.txt")
		}, "labels.txt has more"},
	}
}

func badGraphs(t *testing.T) map[string]badModel {
	node := func(op string) []onnx.Node { return []onnx.Node{{Op: op, Inputs: []string{"input"}, Output: "output"}} }
	cycle := onnx.Model{Input: []int64{1}, Output: []int64{1}, Nodes: []onnx.Node{
		{Op: "Add", Inputs: []string{"input", "b"}, Output: "a"},
		{Op: "Identity", Inputs: []string{"a"}, Output: "b"},
		{Op: "Identity", Inputs: []string{"b"}, Output: "output"},
	}}
	cast := func(to uint64) []onnx.Node {
		return []onnx.Node{{Op: "Cast", Inputs: []string{"input"}, Output: "output", To: to}}
	}
	doubles := onnx.Model{Input: []int64{1}, InputType: onnx.Float64, Output: []int64{1}, Nodes: cast(onnx.Float32)}
	octets := onnx.Model{Input: []int64{1}, Output: []int64{1}, OutputType: onnx.Uint8, Nodes: cast(onnx.Uint8)}
	short := onnx.Always([]int64{1}, onnx.Tensor{Shape: []int64{1 << 40}, Data: []float32{1}}, nil)
	negative := onnx.Always([]int64{1}, onnx.Tensor{Shape: []int64{-5}, Data: []float32{1}}, nil)
	model := func(m onnx.Model) func(string) { return file(t, encoded(t, m)) }
	return map[string]badModel{
		"empty graph":        {model(onnx.Model{}), "m/1/model.onnx"},
		"cycle":              {model(cycle), "m/1/model.onnx"},
		"unknown operator":   {model(onnx.Model{Input: []int64{1}, Output: []int64{1}, Nodes: node("Explode")}), "m/1/model.onnx"},
		"4 TB of weights":    {model(short), ""},
		"negative dimension": {model(negative), "dimensions"},
		"input of doubles":   {model(doubles), "inputs must be of FP32"},
		"output of bytes":    {model(octets), "outputs must be of FP32"},
	}
}

// TestOpen_refusesBadModels: the reason names the cause, and other models work.
func TestOpen_refusesBadModels(t *testing.T) {
	for name, c := range badModels(t) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			save(t, echo(3), dir, "good", "1", "model.onnx")
			c.install(filepath.Join(dir, "m"))
			r := openFolder(t, dir, options())
			refused(t, r, "m", c.want)
			use := func([]inference.Tensor) error { return nil }
			if err := modelOf(t, r, "good").Infer(t.Context(), []inference.Tensor{numbers(1, 3)}, use); err != nil {
				t.Error(err)
			}
			if _, err := r.Model(t.Context(), "m", ""); err != nil && strings.Contains(err.Error(), dir) {
				t.Errorf("%v exposes the path of the repository", err)
			}
		})
	}
}

// refused checks that Model refuses a model with this reason, and that List reports
// the reason too.
func refused(t *testing.T, r inference.Repository, name, want string) {
	t.Helper()
	_, err := r.Model(t.Context(), name, "")
	var e *inference.RefusedError
	if !errors.As(err, &e) || e.Name != name || !strings.Contains(e.Reason, want) {
		t.Errorf("got %v, want a refusal that contains %q", err, want)
	}
	list, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		if (l.Reason != "") != (l.Name == name) || l.Name == name && l.Reason != e.Reason {
			t.Errorf("listed reason of %s: %q", l.Name, l.Reason)
		}
	}
}

// TestAccept_refuses: the error of Accept is the reason of the refusal.
func TestAccept_refuses(t *testing.T) {
	dir := t.TempDir()
	save(t, echo(3), dir, "good", "1", "model.onnx")
	save(t, echo(4), dir, "m", "1", "model.onnx")
	o := options()
	o.Accept = func(ctx context.Context, m inference.Model) error {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("Accept has no deadline")
		}
		if m.Info().Name == "m" {
			return errors.New("not accepted")
		}
		return nil
	}
	r := openFolder(t, dir, o)
	refused(t, r, "m", "not accepted")
	modelOf(t, r, "good")
}

func TestModelConfig_overridesMetadata(t *testing.T) {
	dir := t.TempDir()
	m := echo(3)
	m.Metadata = map[string]string{"names": "file", "imgsz": "file"}
	save(t, m, dir, "m", "1", "model.onnx")
	config := "# Triton's\nmax_batch_size: 8\nparameters { key: \"names\" value { string_value: \"config\" } }\n"
	write(t, []byte(config), dir, "m", "config.pbtxt")
	write(t, []byte("cat\r\nguide dog\n\n"), dir, "m", "labels.txt")
	r := openFolder(t, dir, options())
	info := modelOf(t, r, "m").Info()
	if info.Metadata["names"] != "config" || info.Metadata["imgsz"] != "file" || strings.Join(info.Labels, ",") != "cat,guide dog" {
		t.Errorf("metadata %q, labels %q, want names of config.pbtxt, imgsz of the file, and two labels", info.Metadata, info.Labels)
	}
}

package inference_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/onnx"
)

// external returns a model whose output is one number in another file.
func external(v float32, file string) onnx.Model {
	return onnx.Always([]int64{1, 3}, onnx.Tensor{Shape: []int64{1}, Data: []float32{v}, External: file}, nil)
}

// TestRefresh_noticesExternalWeights: only the file of the weights changes, at the same size.
func TestRefresh_noticesExternalWeights(t *testing.T) {
	for _, file := range []string{"model.onnx.data", "weights/a.bin"} {
		dir := t.TempDir()
		save(t, external(1, file), dir, "m", "1", "model.onnx")
		r := openFolder(t, dir, options())
		before := modelOf(t, r, "m").Info().Digest
		expect(t, r, "m", 1, "1")
		path := filepath.Join(dir, "m", "1", file)
		write(t, []byte{0, 0, 0, 0x40}, path) // 2
		if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		refresh(t, r)
		expect(t, r, "m", 2, "1")
		if after := modelOf(t, r, "m").Info().Digest; after == before {
			t.Errorf("%s: the digest %s is that of other weights", file, after)
		}
	}
}

func TestOpen_refusesExternalWeights(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "x.bin")
	write(t, make([]byte, 4), outside)
	for name, c := range map[string]struct{ file, want string }{
		"absolute": {outside, "not in its folder"}, "parent": {"../x.bin", "not in its folder"},
		"parent of folder": {"a/../../x.bin", "not in its folder"},
		"missing":          {"missing.bin", "copy it there"}, "pipe": {"pipe", "copy it there"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			save(t, echo(3), dir, "good", "1", "model.onnx")
			m := external(1, c.file)
			write(t, encoded(t, m), dir, "m", "1", "model.onnx")
			write(t, make([]byte, 4), dir, "m", "x.bin")
			if err := syscall.Mkfifo(filepath.Join(dir, "m", "1", "pipe"), 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, openFolder(t, dir, options()), "m", c.want)
		})
	}
}

// TestReadWeights_findsPrecision: the type of most weights counts, not the type of most tensors.
func TestReadWeights_findsPrecision(t *testing.T) {
	tensor := func(kind uint64, dims ...uint64) (encoded []byte) {
		for _, n := range dims {
			encoded = protowire.AppendVarint(protowire.AppendTag(encoded, 1, protowire.VarintType), n)
		}
		return protowire.AppendVarint(protowire.AppendTag(encoded, 2, protowire.VarintType), kind)
	}
	const float32s, int8s, int64s, float16s = 1, 3, 7, 10
	for want, tensors := range map[inference.ElementType][][]byte{
		"INT8": {tensor(float32s, 16), tensor(int8s, 16, 3, 3, 3), tensor(float32s, 1), tensor(int64s, 1000)},
		"FP16": {tensor(float16s, 16, 3), tensor(float32s, 3)},
		"":     {tensor(int64s, 4)},
	} {
		var graph []byte
		for _, encoded := range tensors {
			graph = protowire.AppendBytes(protowire.AppendTag(graph, 5, protowire.BytesType), encoded)
		}
		file := filepath.Join(t.TempDir(), "model.onnx")
		write(t, protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), graph), file)
		if _, got, err := inference.ReadWeights(file); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

// FuzzExternalFiles: no file makes the search for weights panic, hang or leave the folder.
func FuzzExternalFiles(f *testing.F) {
	file := filepath.Join(f.TempDir(), "model.onnx")
	for _, m := range []onnx.Model{echo(3), external(1, "a.bin"), external(1, "../a.bin")} {
		if err := m.Save(file); err != nil {
			f.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "model.onnx")
		write(t, content, path)
		files, _, _ := inference.ReadWeights(path)
		for _, file := range files {
			if !strings.HasPrefix(file, filepath.Dir(path)) {
				t.Errorf("%s is outside of the folder", file)
			}
		}
	})
}

package inference_test

import (
	"path/filepath"
	"testing"
)

// TestFolder_listsMisplacedModels: files and folders that cannot be models have a reason, and do not
// prevent others.
func TestFolder_listsMisplacedModels(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"yolo11n.onnx": {"yolo11n.onnx", "move the file to yolo11n/1/model.onnx"},
		"my model":     {filepath.Join("my model", "1", "model.onnx"), "rename the folder"},
	} {
		dir := t.TempDir()
		save(t, constant(1), dir, "good", "1", "model.onnx")
		save(t, constant(1), dir, c.file)
		r := openFolder(t, dir, options())
		refused(t, r, name, c.want)
		expect(t, r, "good", 1, "1")
	}
}

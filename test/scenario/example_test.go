package scenario

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestExampleOfAClient runs the example in Go as its comment says. A text among the images does not end the stream.
func TestExampleOfAClient(t *testing.T) {
	s := local(t, setup{})
	folder := t.TempDir()
	for name, data := range map[string][]byte{
		"cat.jpg": jpegOf(t, 640, 480), "notes.jpg": []byte("dear diary"), "dog.png": pngOf(t, 640, 640),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "./examples/client", "-gateway", s.url("gateway", ""),
		"-resize", s.addresses["resize"], folder+"/cat.jpg", folder+"/notes.jpg", folder+"/dog.png")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := []string{
		"call cat.jpg: image/jpeg, 320 x 240 pixels, ", "stream cat.jpg: image/jpeg, 320 x 240 pixels, ",
		"stream notes.jpg: input_bytes: text; ", "stream dog.png: image/png, 320 x 320 pixels, ",
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i, begin := range want {
		if len(lines) != len(want) || !strings.HasPrefix(lines[i], begin) {
			t.Fatalf("printed:\n%swant:\n%s", out, strings.Join(want, "\n"))
		}
	}
}

package scenario

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGuideRunsAsPrinted pastes the examples for curl into a shell.
func TestGuideRunsAsPrinted(t *testing.T) {
	sample, err := filepath.Abs(filepath.Join("..", "images", "sample.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	s := local(t, setup{flags: []string{"--image", sample, "--allow-unsigned-events"}})
	eventually(t, "the last example", func() bool { return strings.Contains(s.output.String(), "need no signature here:\n  curl") })
	examples := 0
	for line := range strings.Lines(s.output.String()) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "curl ") {
			continue
		}
		examples++
		cmd := exec.Command("bash", "-c", strings.Replace(line, "curl ", "curl --silent --show-error --fail-with-body ", 1))
		cmd.Dir = t.TempDir()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s\n%s%v", line, out, err)
		}
	}
	if examples < 5 {
		t.Errorf("%d examples", examples)
	}
	eventually(t, "the end of the upload's chain", func() bool { return s.tag(t, "uploads/mine.jpg") == "completed" })
}

package scenario

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGuide_examplesRunAsPrinted pastes the examples for curl into a shell.
func TestGuide_examplesRunAsPrinted(t *testing.T) {
	sample, err := filepath.Abs(filepath.Join("..", "images", "sample.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	s := local(t, setup{
		env:   []string{"IMAGE_SIGNING_KEYS=" + imageKey, "IMAGE_OPTIONS=true"},
		flags: []string{"--image", sample, "--allow-unsigned-events"},
	})
	const last = "CloudEvent (unsigned events are allowed):\n  curl"
	eventually(t, "the last example", func() bool {
		_, example, found := strings.Cut(s.output.String(), last)
		return found && strings.HasSuffix(strings.TrimSpace(example), "'")
	})
	examples := 0
	for paragraph := range strings.SplitSeq(s.output.String(), "\n\n") {
		_, example, found := strings.Cut(paragraph, ":\n  curl ")
		if !found {
			continue
		}
		examples++
		cmd := exec.Command("bash", "-c", "curl --silent --show-error --fail-with-body "+example)
		cmd.Dir = t.TempDir()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s\n%s%v", example, out, err)
		}
		if strings.Contains(example, " -T ") { // the other examples write some of the names of its chain
			eventually(t, "the end of the upload's chain", func() bool { return s.tag(t, "uploads/mine.jpg") == "completed" })
		}
	}
	if examples != 6 {
		t.Errorf("%d examples, want 6", examples)
	}
}

package scenario

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// kn runs a command line of kn imageflow and returns its output, of which a part must match an expression, and whether it
// exited with 0.
func kn(t testing.TB, expression string, args ...string) (out string, isOK bool) {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), knPlugin(t), args...).CombinedOutput()
	if !regexp.MustCompile(expression).Match(text) {
		t.Fatalf("kn imageflow %q: %v\n%s\nwant %s", args, err, text, expression)
	}
	return string(text), err == nil
}

// TestOnClusterPlugin uploads 20 images by kn imageflow, through ports that the API server forwards, runs the chain on them
// again, and replays what a file that is cut off became.
func TestOnClusterPlugin(t *testing.T) {
	needsCluster(t)
	cluster(t)
	folder := t.TempDir()
	for i := range 20 {
		writeFile(t, filepath.Join(folder, fmt.Sprintf("%02d.jpg", i)), plainJPEG(t, 120, 90, colourOf(i)))
	}
	const good = "plugin/good/"
	out, isOK := kn(t, `\n20 completed, 0 failed, 0 not ended\n$`, "upload", "-r", folder, "--prefix", good, "--watch")
	completed := regexp.MustCompile(`(?m)^COMPLETED plugin/good/\S+  resize,detect,filter$`).FindAllString(out, -1)
	if !isOK || len(completed) != 20 {
		t.Errorf("%d images were completed\n%s", len(completed), out)
	}
	out, isOK = kn(t, `\n20 uploads sent: 20 completed, 0 failed, 0 without`, "run", "--prefix", good, "--again")
	if !isOK {
		t.Errorf("a run: %s", out)
	}
	if out, isOK = kn(t, "", "status"); !isOK {
		t.Errorf("status: %s", out)
	}
	t.Run("cut off", testPluginFailure)
}

// testPluginFailure uploads a file that is cut off, replays its dead letter, and runs the chain on it again.
func testPluginFailure(t *testing.T) {
	const bad = "plugin/bad/"
	cut := filepath.Join(t.TempDir(), "cut.jpg")
	whole := plainJPEG(t, 400, 300, colourOf(0))
	writeFile(t, cut, whole[:len(whole)/2])
	out, isOK := kn(t, `\nFAILED plugin/bad/\S+-cut  input_image: truncated`, "upload", cut, "--prefix", bad, "--watch")
	if isOK {
		t.Errorf("a file that is cut off: %s", out)
	}
	execution := regexp.MustCompile(`plugin/bad/\S+-cut\b`).FindString(out)
	kn(t, execution+` +400 +1 `, "dead-letter", "list", "--prefix", bad)
	kn(t, `resize-grpc-service .*truncated`, "logs", "--execution", execution, "--since", "5m")
	if out, isOK = kn(t, "\n1 dead letter will be sent again\n", "dead-letter", "replay", "--execution", execution); !isOK {
		t.Errorf("a replay: %s", out)
	}
	eventually(t, "another failure of the dead letter", func() bool {
		out, _ := kn(t, "", "dead-letter", "list", "--prefix", bad)
		return regexp.MustCompile(execution + ` +400 +2 `).MatchString(out)
	})
	out, isOK = kn(t, `FAILED +plugin/bad/\S+-cut.jpg`, "run", "--prefix", bad, "--again")
	if isOK || !strings.Contains(out, "Error: the run has failed") {
		t.Errorf("a run of what fails: %s", out)
	}
	kn(t, "job.batch/backfill deleted", "run", "stop")
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

package scenario

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOnClusterUpgrade puts five images a second while kn imageflow installs the images of the tag UPGRADE_TAG with another
// setting of every Service, and then those that ran before with theirs: each upload completes without a dead letter, and only
// the latter images are left. The nodes must have the images of UPGRADE_TAG; without it, only the setting changes.
func TestOnClusterUpgrade(t *testing.T) {
	needsCluster(t)
	s := cluster(t)
	tag, plugin := runningTag(t), buildPlugin(t)
	stop := s.putSteadily(t)
	time.Sleep(3 * time.Second) // until chains run
	install(t, plugin, "test/scenario/testdata/upgrade", cmp.Or(os.Getenv("UPGRADE_TAG"), tag))
	var others []string
	for _, service := range serviceOf {
		others = append(others, latest(t, service))
	}
	time.Sleep(3 * time.Second)
	install(t, plugin, "config/overlays/test", tag)
	time.Sleep(3 * time.Second)
	s.checkNothingLost(t, stop())
	if letters := s.deadLetterKeys(t); len(letters) > 0 {
		t.Errorf("dead letters: %q", letters)
	}
	within(t, 3*time.Minute, "the end of the other revisions' pods", func() bool {
		return kubectl(t, "get", "pods", "-n", namespace, "-o", "name",
			"-l", "serving.knative.dev/revision in ("+strings.Join(others, ",")+")") == ""
	})
	for image := range strings.FieldsSeq(kubectl(t, "get", "pods", "-n", namespace, "-l", "app.kubernetes.io/part-of=imageflow",
		"-o", `jsonpath={.items[*].spec.containers[?(@.name!="queue-proxy")].image}`)) {
		if !strings.HasSuffix(image, ":"+tag) {
			t.Errorf("a pod runs %s, want only the tag %s", image, tag)
		}
	}
}

// runningTag returns the tag of the images that are deployed.
func runningTag(t testing.TB) string {
	t.Helper()
	image := kubectl(t, "get", "ksvc", "-n", namespace, "bridge", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
	return image[strings.LastIndexByte(image, ':')+1:]
}

// buildPlugin builds the plugin kn-imageflow and returns its path.
func buildPlugin(t testing.TB) string {
	t.Helper()
	plugin := filepath.Join(t.TempDir(), "kn-imageflow")
	build := exec.Command("go", "build", "-o", plugin)
	build.Dir = filepath.Join("..", "..", "cmd", "kn-imageflow")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return plugin
}

// install installs an overlay with the images of a tag, and waits until it is ready.
func install(t testing.TB, plugin, overlay, tag string) {
	t.Helper()
	began := time.Now()
	args := []string{"install", overlay, "--force-conflicts", "--wait", "3m"}
	for _, image := range []string{"dev.local/imageflow", "dev.local/imageflow-detect"} {
		args = append(args, "--image", image+"="+image+":"+tag)
	}
	cmd := exec.Command(plugin, args...)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	t.Logf("%s with the images of %s is ready after %v", overlay, tag, time.Since(began).Round(time.Second))
}

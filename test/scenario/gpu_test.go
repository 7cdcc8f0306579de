package scenario

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// gpuPatch makes detect ask for a GPU as the base does, without its image.
func gpuPatch(t testing.TB) string {
	t.Helper()
	spec := manifestOf(t, serviceOf["detect"]).Spec.Template.Spec
	text := func(v any) []byte {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	gpus := spec.Containers[0].Resources.Limits["nvidia.com/gpu"]
	return fmt.Sprintf(`[{"op":"add","path":"/spec/template/spec/nodeSelector","value":%s},
		{"op":"add","path":"/spec/template/spec/tolerations","value":%s},
		{"op":"add","path":"/spec/template/spec/containers/0/resources/limits/nvidia.com~1gpu","value":%q}]`,
		text(spec.NodeSelector), text(spec.Tolerations), gpus.String())
}

// fakeGPU is the node of ../shared/cluster, which says that it has GPUs.
func fakeGPU(t testing.TB) string {
	t.Helper()
	node, _, _ := strings.Cut(
		kubectl(t, "get", "nodes", "-l", "nvidia.com/gpu.product=fake", "-o", "jsonpath={.items[*].metadata.name}"), " ",
	)
	if node == "" {
		t.Skip("needs a node whose GPUs can be taken away")
	}
	return node
}

// offerGPUs makes the node say that it has n GPUs.
func offerGPUs(t testing.TB, n int) {
	t.Helper()
	kubectl(t, "patch", "node", fakeGPU(t), "--subresource=status", "--type", "merge", "-p",
		fmt.Sprintf(`{"status":{"capacity":{"nvidia.com/gpu":"%d"},"allocatable":{"nvidia.com/gpu":"%[1]d"}}}`, n))
}

// TestOnClusterGPU: detect waits while no node has a GPU, and while its selector matches none; then
// it starts.
func TestOnClusterGPU(t *testing.T) {
	needsCluster(t)
	node := fakeGPU(t)
	label := func(value string) { kubectl(t, "label", "node", node, "--overwrite", "nvidia.com/gpu.present"+value) }
	t.Cleanup(func() { label("=true"); offerGPUs(t, 4) })
	detect := serviceOf["detect"]
	label("-")
	offerGPUs(t, 0)
	patchFor(t, detect, gpuPatch(t))
	var pod string
	eventually(t, "a pod that cannot be scheduled", func() bool {
		pod = kubectl(t, "get", "pods", "-n", namespace, "-l", "serving.knative.dev/revision="+latest(t, detect),
			"-o", `jsonpath={range .items[*]}{.status.phase} {.spec.nodeName} {.status.conditions[?(@.type=="PodScheduled")].reason}{end}`)
		return pod == "Pending  Unschedulable"
	})
	doctorSays(t, "MISSING  gpu ", "no node offers any", "nvidia.com/gpu")
	offerGPUs(t, 4)
	doctorSays(t, "MISSING  gpu ", "nvidia.com/gpu.present=true", "labels")
	label("=true")
	awaitServing(t, detect)
	pod = kubectl(t, "get", "pods", "-n", namespace, "-l", "serving.knative.dev/revision="+latest(t, detect),
		"-o", `jsonpath={range .items[*]}{.status.phase} {.spec.nodeName} {.spec.containers[0].resources.limits.nvidia\.com/gpu}{end}`)
	if want := "Running " + node + " 1"; pod != want {
		t.Errorf("pod %q, want %q", pod, want)
	}
	doctorSays(t, "ok       gpu ")
}

// doctorSays runs doctor and checks that one line of its output has all the words.
func doctorSays(t testing.TB, parts ...string) {
	t.Helper()
	var out []byte
	plugin := knPlugin(t)
	eventually(t, fmt.Sprintf("the doctor to say %q", parts), func() bool {
		out, _ = exec.Command(plugin, "doctor").CombinedOutput()
		for line := range strings.Lines(string(out)) {
			found := 0
			for _, part := range parts {
				if strings.Contains(line, part) {
					found++
				}
			}
			if found == len(parts) {
				return true
			}
		}
		return false
	})
	t.Logf("doctor:\n%s", out)
}

// knPlugin returns kn-imageflow, which it builds once.
func knPlugin(t testing.TB) string {
	t.Helper()
	path := filepath.Join(binaries, "kn-imageflow")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	build := exec.Command("go", "build", "-o", path)
	build.Dir = filepath.Join("..", "..", "cmd", "kn-imageflow")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build kn-imageflow: %v\n%s", err, out)
	}
	return path
}

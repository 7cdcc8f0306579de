package scenario

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// standin is the Service whose pods are the processor of fixed cost in test/standin.
const standin = "standin"

// scaled says which pods a Service has and how calls reach them.
type scaled struct {
	min, max  int
	activator bool
}

// needsStandin skips a test without -cluster.
func needsStandin(t testing.TB) {
	t.Helper()
	if !*onCluster {
		t.Skip("needs a cluster with the image of test/standin: make scale")
	}
}

// deployStandin deploys the stand-in as a copy of filter's Service: with its settings, rights and user of the store, but
// the image of test/standin at the same tag. It waits until the first pods are ready, and removes all when the test ends.
func deployStandin(t testing.TB, s scaled) {
	t.Helper()
	var filter struct{ Spec map[string]any }
	text := kubectl(t, "get", "ksvc", "-n", namespace, serviceOf["filter"], "-o", "json")
	if err := json.Unmarshal([]byte(text), &filter); err != nil {
		t.Fatal(err)
	}
	template := filter.Spec["template"].(map[string]any)
	burst := "0"
	if s.activator {
		burst = "-1"
	}
	template["metadata"] = map[string]any{
		"labels": map[string]string{"app.kubernetes.io/part-of": "imageflow", "app.kubernetes.io/component": "processor"},
		"annotations": map[string]string{
			"autoscaling.knative.dev/min-scale": strconv.Itoa(s.min), "autoscaling.knative.dev/max-scale": strconv.Itoa(s.max),
			"autoscaling.knative.dev/target": "2", "autoscaling.knative.dev/window": "6s",
			"autoscaling.knative.dev/target-burst-capacity": burst,
		},
	}
	container := template["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
	delete(container, "args")
	container["name"] = standin
	container["image"] = strings.Replace(container["image"].(string), "imageflow:", "imageflow-standin:", 1)
	applyObjects(t, map[string]any{
		"apiVersion": "serving.knative.dev/v1", "kind": "Service",
		"metadata": map[string]any{
			"name": standin, "namespace": namespace, "labels": map[string]string{"networking.knative.dev/visibility": "cluster-local"},
		},
		"spec": map[string]any{"template": template},
	})
	awaitServing(t, standin)
	eventually(t, fmt.Sprintf("%d pods of the stand-in", s.min), func() bool { return readyPods(t, standin) == s.min })
	nameStandinPods(t)
}

// nameStandinPods makes a Kubernetes Service with the addresses of the pods, as config/components/direct does, but only of
// the latest revision: pods of the one before may still be there.
func nameStandinPods(t testing.TB) {
	t.Helper()
	applyObjects(t, map[string]any{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"name": "standin-pods", "namespace": namespace},
		"spec": map[string]any{
			"clusterIP": "None", "selector": map[string]string{"serving.knative.dev/revision": latest(t, standin)},
			"ports": []map[string]any{{"name": "h2c", "port": 8013}},
		},
	})
}

// applyObjects applies objects and deletes them when the test ends.
func applyObjects(t testing.TB, objects ...any) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": objects})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "objects.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	kubectl(t, "apply", "--filename", file)
	t.Cleanup(func() { // with all that they own, so that the next test can use the names
		kubectl(t, "delete", "--ignore-not-found", "--cascade=foreground", "--filename", file)
	})
}

// readyPods returns the number of ready pods of a Service's latest revision.
func readyPods(t testing.TB, service string) int {
	t.Helper()
	return strings.Count(kubectl(t, "get", "pods", "-n", namespace, "-l", "serving.knative.dev/revision="+latest(t, service),
		"-o", `jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}`), "True")
}

// sendUploads makes uploads under a prefix reach the stand-in, and their executions complete after it. The example chains
// leave that prefix to presets that `make e2e` does not apply.
func sendUploads(t testing.TB, prefix string) {
	t.Helper()
	step := func(name, service, uri string, filter map[string]any) map[string]any {
		return map[string]any{
			"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
			"metadata": map[string]any{"name": name, "namespace": namespace},
			"spec": map[string]any{
				"broker": "default", "filters": []any{filter, map[string]any{"prefix": map[string]string{"subject": prefix}}},
				"subscriber": map[string]any{
					"ref": map[string]string{"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": service}, "uri": uri,
				},
			},
		}
	}
	// Each by itself, so that they are deleted one after the other: of two that are deleted at once, Knative's in-memory
	// channel can keep a subscriber, and each event becomes a dead letter.
	applyObjects(t, step("standin-1", standin, "/?filter_type=FILTER_TYPE_BLUR",
		map[string]any{"prefix": map[string]string{"type": "com.amazonaws.s3.ObjectCreated:"}}))
	applyObjects(t, step("standin-2-completed", "bridge", "/completed",
		map[string]any{"exact": map[string]string{"type": "dev.imageflow.filter.completed.v1"}}))
	kubectl(t, "wait", "-n", namespace, "--for", "condition=Ready", "--timeout", "2m", "trigger/standin-1",
		"trigger/standin-2-completed")
}

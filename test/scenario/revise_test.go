package scenario

import (
	"encoding/json"
	"strings"
	"testing"
)

func needsCluster(t testing.TB) {
	t.Helper()
	if !*onCluster {
		t.Skip("needs a cluster: make e2e")
	}
}

// revise patches a Service, waits until the new revision serves, and at the end
// of the test makes it what it was.
func revise(t testing.TB, service, patch string) {
	t.Helper()
	patchFor(t, service, patch)
	awaitServing(t, service)
}

// patchFor is revise without the waiting.
func patchFor(t testing.TB, service, patch string) {
	t.Helper()
	before := kubectl(t, "get", "ksvc", "-n", namespace, service, "-o", "jsonpath={.spec.template}")
	t.Cleanup(func() {
		kubectl(t, "patch", "ksvc", "-n", namespace, service, "--type", "json", "-p", `[{"op":"replace","path":"/spec/template","value":`+before+`}]`)
		awaitServing(t, service)
	})
	kubectl(t, "patch", "ksvc", "-n", namespace, service, "--type", "json", "-p", patch)
}

// latest is the revision that the Service made last.
func latest(t testing.TB, service string) string {
	t.Helper()
	return kubectl(t, "get", "ksvc", "-n", namespace, service, "-o", "jsonpath={.status.latestCreatedRevisionName}")
}

// awaitServing waits until the Service's latest revision has all traffic.
func awaitServing(t testing.TB, service string) {
	t.Helper()
	eventually(t, service+" to get ready", func() bool {
		var s struct {
			Metadata struct{ Generation int }
			Status   struct {
				ObservedGeneration int
				Conditions         []struct{ Type, Status string }
			}
		}
		if err := json.Unmarshal([]byte(kubectl(t, "get", "ksvc", "-n", namespace, service, "-o", "json")), &s); err != nil {
			t.Fatal(err)
		}
		if s.Metadata.Generation != s.Status.ObservedGeneration {
			return false
		}
		for _, c := range s.Status.Conditions {
			if c.Type == "Ready" {
				return strings.EqualFold(c.Status, "true")
			}
		}
		return false
	})
}

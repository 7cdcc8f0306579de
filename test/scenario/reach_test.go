package scenario

import (
	"context"
	"encoding/json"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
)

func needsCluster(t testing.TB) {
	t.Helper()
	if !*onCluster {
		t.Skip("needs a cluster: make e2e")
	}
}

// revise patches a Service, waits until the new revision serves, and undoes the patch when the test
// ends.
func revise(t testing.TB, service, patch string) {
	t.Helper()
	patchFor(t, service, patch)
	awaitServing(t, service)
}

// patchFor is revise without waiting.
func patchFor(t testing.TB, service, patch string) {
	t.Helper()
	before := kubectl(t, "get", "ksvc", "-n", namespace, service, "-o", "jsonpath={.spec.template}")
	t.Cleanup(func() {
		kubectl(t, "patch", "ksvc", "-n", namespace, service, "--type", "json", "-p",
			`[{"op":"replace","path":"/spec/template","value":`+before+`}]`)
		awaitServing(t, service)
	})
	kubectl(t, "patch", "ksvc", "-n", namespace, service, "--type", "json", "-p", patch)
}

// latest returns the newest revision of a Service.
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

// fromPod returns a dialer whose connections come from the gateway's pod: its bash opens them, and
// kubectl exec carries the bytes.
func fromPod(t testing.TB) grpc.DialOption {
	t.Helper()
	selector := "serving.knative.dev/revision=" + latest(t, serviceOf["gateway"]) // pods of earlier ones may end
	pods := kubectl(t, "get", "pods", "-n", namespace, "-l", selector, "--field-selector", "status.phase=Running", "-o", "name")
	pod := strings.Fields(pods)[0]
	return grpc.WithContextDialer(func(_ context.Context, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		near, far := net.Pipe()
		cmd := exec.Command("kubectl", "exec", "-n", namespace, "-i", pod, "-c", "gateway", "--",
			"bash", "-c", `exec 3<>/dev/tcp/$0/$1 && { cat <&3 & cat >&3; kill $!; }`, host, port)
		cmd.Stdin, cmd.Stdout = far, far
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		go func() {
			_ = cmd.Wait() // the caller sees the connection's end
			far.Close()
		}()
		return near, nil
	})
}

// loggedJob is a line in a processor's log about a job.
type loggedJob struct {
	pod, Msg, Step, Execution, Outcome string
	Time                               time.Time // of its end
	MS                                 float64   // from the queue to the stored output
	ApplyMS                            float64   `json:"apply_ms"` // 0 if the image was not started
}

// jobs returns the jobs in the logs of the selected pods whose executions have the prefix.
func jobs(t testing.TB, selector, prefix string) (found []loggedJob) {
	t.Helper()
	for pod := range strings.FieldsSeq(kubectl(t, "get", "pods", "-n", namespace, "-l", selector, "-o", "name")) {
		log, _ := exec.Command("kubectl", "logs", "-n", namespace, pod).Output() // the pod may be gone by now
		for line := range strings.Lines(string(log)) {
			j := loggedJob{pod: pod}
			if json.Unmarshal([]byte(line), &j) == nil && j.Msg == "job" && strings.HasPrefix(j.Execution, prefix) {
				found = append(found, j)
			}
		}
	}
	return found
}

// awaitOutcome waits until a processor logs an execution with the prefix, and checks the outcome of
// all of them.
func awaitOutcome(t testing.TB, prefix, want string) (ended []loggedJob) {
	t.Helper()
	eventually(t, prefix+" to end", func() bool {
		ended = jobs(t, "app.kubernetes.io/component=processor", prefix)
		return len(ended) > 0
	})
	for _, j := range ended {
		if j.Outcome != want {
			t.Errorf("%s ended as %q, want %q", j.Execution, j.Outcome, want)
		}
	}
	return ended
}

package scenario

import (
	"context"
	"encoding/json"
	"flag"
	"os/exec"
	"testing"

	"github.com/minio/minio-go/v7"
)

// onCluster runs the same tests on a deployment: `make e2e`. They must run where the names of the
// cluster resolve, such as in a pod.
var onCluster = flag.Bool("cluster", false, "run on the cluster of kubectl's context, and empty its buckets before each test")

// namespace of the deployment.
const namespace = "image-processing"

// cluster returns the deployed system, with empty buckets. A test cannot set it up or restart it.
func cluster(t testing.TB) *system {
	t.Helper()
	s := connect(t)
	for _, name := range []string{bucket, "imageflow-dead-letters"} {
		s.empty(t, name)
	}
	return s
}

// connect returns the deployed system.
func connect(t testing.TB) *system {
	t.Helper()
	s := &system{addresses: map[string]string{
		"s3": "minio-service.default.svc.cluster.local:9000", "broker": "broker-ingress.knative-eventing.svc.cluster.local:80",
	}}
	for part, service := range serviceOf {
		s.addresses[part] = service + "." + namespace + ".svc.cluster.local:80"
	}
	var secret struct{ Data map[string][]byte }
	text := kubectl(t, "get", "secret", "minio-credentials", "--namespace", namespace, "--output", "json")
	if err := json.Unmarshal([]byte(text), &secret); err != nil {
		t.Fatal(err)
	}
	s.s3 = client(t, s.addresses["s3"], string(secret.Data["access-key"]), string(secret.Data["secret-key"]))
	return s
}

// kubectl runs kubectl and returns what it prints.
func kubectl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("kubectl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// withExamples returns a system that also has the Triggers of eventing/examples. On a cluster they
// stay there: Knative's in-memory channel still delivers to a deleted Trigger for a while, and such
// events become dead letters.
func withExamples(t *testing.T) *system {
	t.Helper()
	if !*onCluster {
		return local(t, setup{flags: []string{"--eventing", "eventing", "--eventing", "eventing/examples"}})
	}
	apply(t, "../../eventing/examples")
	return cluster(t)
}

// apply deploys the manifests of a folder and waits until all are ready.
func apply(t testing.TB, folder string) {
	t.Helper()
	kubectl(t, "apply", "--filename", folder)
	kubectl(t, "wait", "--for", "condition=Ready", "--filename", folder, "--recursive=false", "--timeout", "2m")
}

// empty removes all objects from a bucket.
func (s *system) empty(t testing.TB, bucket string) {
	t.Helper()
	all := s.s3.ListObjects(context.Background(), bucket, minio.ListObjectsOptions{Recursive: true})
	for failed := range s.s3.RemoveObjects(context.Background(), bucket, all, minio.RemoveObjectsOptions{}) {
		t.Fatal(failed.Err)
	}
}

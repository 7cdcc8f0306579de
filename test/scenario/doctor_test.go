package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// breakage is a way to break the deployment on the cluster.
type breakage struct {
	name string
	make func(*testing.T, *system)
	// check is the check that finds it, says what that says, and follows what may fail with it.
	check, says string
	follows     []string
}

var breakages = []breakage{
	{"missing secret", withoutSecret, "secrets", "there is no secret minio-credentials-filter", nil},
	{"missing flag", withoutFlag, "features", "kubernetes.podspec-nodeselector is not enabled", nil},
	{"missing bucket", withoutBucket, "store", "bucket imageflow-dead-letters", nil},
	{"no webhook of the store", withoutNotifications, "store", "notifications of imageflow-files", nil},
	{"no GPU", withoutGPU, "gpu", "no node offers any", []string{"services", "images"}},
	{"token without a new revision", withNewToken, "tokens", "takes calls without a token", nil},
	{"token of a secret that is gone", withoutToken, "tokens", "need a token, but there is no secret", nil},
	{"Trigger collision", withCollision, "outputs", "doctor-small", []string{"triggers", "chains"}},
	{"unready broker", withoutBrokerIngress, "broker", "mt-broker-ingress has been scaled to 0", []string{"triggers"}},
	{"Triggers deleted at once", withLeftSubscriber, "triggers", "subscribers without a Trigger: default-doctor-", nil},
	{"full dead letters", withDeadLetter, "dead-letters", "the last one is of execution doctor/sample", nil},
	{"Argo without a right", withoutArgoRight, "argo", "may not patch workflowtasksets/status", nil},
	{"Argo without settings", withoutArgoSettings, "argo", "ARGO_AGENT_PATCH_RATE=500ms DEFAULT_REQUEUE_TIME=1s", nil},
	{"Argo without a port", withoutArgoPort, "argo", "has no port 8080", nil},
	{"old image", withOldImage, "images", "filter-grpc-service runs", []string{"services"}},
}

// TestOnClusterDoctor breaks the deployment in one way after another: doctor finds each, reports nothing that does not follow
// from it, and what it says to type fixes the deployment.
func TestOnClusterDoctor(t *testing.T) {
	needsCluster(t)
	s := cluster(t)
	t.Cleanup(func() { s.empty(t, "imageflow-dead-letters") }) // events that arrived while a part was broken
	plugin := knPlugin(t)
	awaitHealthy(t, plugin, "dead-letters")
	for _, b := range breakages {
		t.Run(b.name, func(t *testing.T) {
			b.make(t, s)
			var found []diagnosis
			eventually(t, "doctor to find it, and nothing else", func() bool {
				found = diagnose(t, plugin)
				return b.isFound(found)
			})
			for _, d := range found {
				typeFix(t, plugin, d)
			}
			if b.check == "dead-letters" {
				awaitHealthy(t, plugin)
			}
			awaitHealthy(t, plugin, "dead-letters")
		})
	}
}

// isFound reports whether doctor has found the breakage, and beside it only what may follow. An event of an earlier test may
// become a dead letter at any time.
func (b breakage) isFound(found []diagnosis) bool {
	expected := append([]string{b.check, "dead-letters"}, b.follows...)
	isOther := func(d diagnosis) bool { return !slices.Contains(expected, d.Metadata.Name) }
	isIt := func(d diagnosis) bool { return d.Metadata.Name == b.check && strings.Contains(d.Text, b.says) }
	return slices.ContainsFunc(found, isIt) && !slices.ContainsFunc(found, isOther)
}

// diagnosis is a failed check of doctor.
type diagnosis struct {
	Metadata          struct{ Name string }
	Status, Text, Fix string
}

// diagnose returns the failed checks of doctor.
func diagnose(t *testing.T, plugin string) []diagnosis {
	t.Helper()
	var all struct{ Items []diagnosis }
	out, err := exec.Command(plugin, "doctor", "-o", "json").Output()
	if wrong := json.Unmarshal(out, &all); wrong != nil {
		t.Fatalf("%v, %v\n%s", err, wrong, out)
	}
	return slices.DeleteFunc(all.Items, func(d diagnosis) bool { return d.Status == "ok" })
}

// awaitHealthy waits until every check of doctor succeeds but for those that are skipped.
func awaitHealthy(t *testing.T, plugin string, skip ...string) {
	t.Helper()
	out, err := exec.Command(plugin, "doctor", "--wait", "2m", "--skip", strings.Join(skip, ",")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// typeFix types the fix of a failed check into a shell, in a folder of its own.
func typeFix(t *testing.T, plugin string, d diagnosis) {
	t.Helper()
	folder := t.TempDir()
	kn := "#!/bin/sh\nshift\nexec " + plugin + ` "$@"` + "\n" // kn imageflow ...
	if err := os.WriteFile(filepath.Join(folder, "kn"), []byte(kn), 0o700); err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("bash", "-euc", d.Fix)
	shell.Dir = folder
	shell.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"))
	out, err := shell.CombinedOutput()
	if len(out) > 500 {
		out = append(out[:500], " ..."...)
	}
	t.Logf("%s: %s\n$ %s\n%s", d.Metadata.Name, d.Text, d.Fix, out)
	if err != nil {
		t.Errorf("the fix of %s: %v", d.Metadata.Name, err)
	}
}

// withoutSecret removes a secret. Its values are in the variables that the fix names.
func withoutSecret(t *testing.T, _ *system) {
	const name = "minio-credentials-filter"
	for variable, key := range map[string]string{"ACCESS_KEY": "access-key", "SECRET_KEY": "secret-key"} {
		value := `go-template={{index .data "` + key + `" | base64decode}}`
		t.Setenv(variable, kubectl(t, "get", "secret", "-n", namespace, name, "-o", value))
	}
	kubectl(t, "delete", "secret", "-n", namespace, name)
}

func withoutFlag(t *testing.T, _ *system) {
	set := func(value string) {
		kubectl(t, "patch", "configmap", "-n", "knative-serving", "config-features", "--type", "merge", "-p",
			`{"data":{"kubernetes.podspec-nodeselector":"`+value+`"}}`)
	}
	t.Cleanup(func() { set("enabled") })
	set("disabled")
}

func withoutBucket(t *testing.T, s *system) {
	s.empty(t, "imageflow-dead-letters")
	if err := s.s3.RemoveBucket(context.Background(), "imageflow-dead-letters"); err != nil {
		t.Fatal(err)
	}
}

func withoutNotifications(t *testing.T, s *system) {
	if err := s.s3.RemoveAllBucketNotification(context.Background(), bucket); err != nil {
		t.Fatal(err)
	}
}

func withoutGPU(t *testing.T, _ *system) {
	offerGPUs(t, 0)
	t.Cleanup(func() { offerGPUs(t, 4) })
	breakRevision(t, serviceOf["detect"], gpuPatch(t))
}

// breakRevision makes a revision that never starts. Its pod would wait for minutes after the test.
func breakRevision(t *testing.T, service, patch string) {
	t.Helper()
	before, broken := latest(t, service), ""
	t.Cleanup(func() {
		kubectl(t, "delete", "revision", "-n", namespace, broken, "--ignore-not-found", "--wait=false")
	})
	patchFor(t, service, patch)
	eventually(t, "a new revision", func() bool { broken = latest(t, service); return broken != before })
}

func withNewToken(t *testing.T, _ *system) {
	const token = "--from-literal=token=0123456789abcdef0123456789abcdef"
	kubectl(t, "create", "secret", "generic", "-n", namespace, "gateway-token", token)
}

func withoutToken(t *testing.T, _ *system) {
	kubectl(t, "delete", "secret", "-n", namespace, "gateway-token")
}

// applyText applies a manifest.
func applyText(t *testing.T, manifest string) {
	t.Helper()
	apply := exec.Command("kubectl", "apply", "-f", "-")
	apply.Stdin = bytes.NewBufferString(manifest)
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func withoutBrokerIngress(t *testing.T, _ *system) {
	scale := func(replicas string) {
		kubectl(t, "scale", "deployment", "-n", "knative-eventing", "mt-broker-ingress", "--replicas="+replicas)
	}
	t.Cleanup(func() { scale("1") })
	scale("0")
}

// withoutArgoRight takes the right that Argo's controller has from overlays/test.
func withoutArgoRight(t *testing.T, _ *system) {
	restoreArgo(t)
	kubectl(t, "delete", "clusterrolebinding", "argo-taskset-status")
}

func withoutArgoSettings(t *testing.T, _ *system) {
	restoreArgo(t)
	kubectl(t, "set", "env", "-n", "argo", "deployment/workflow-controller", "ARGO_AGENT_PATCH_RATE-", "DEFAULT_REQUEUE_TIME-")
}

func withoutArgoPort(t *testing.T, _ *system) {
	restoreArgo(t)
	ports := kubectl(t, "get", "service", "-n", "traefik", "traefik-internal", "-o", "jsonpath={.spec.ports[*].port}")
	at := slices.Index(strings.Fields(ports), "8080")
	kubectl(t, "patch", "service", "-n", "traefik", "traefik-internal", "--type", "json", "-p",
		fmt.Sprintf(`[{"op":"remove","path":"/spec/ports/%d"}]`, at))
}

// restoreArgo makes what overlays/test changes of Argo and of the ingress whole at the end of the test.
func restoreArgo(t *testing.T) {
	t.Helper()
	if exec.Command("kubectl", "get", "deployment", "-n", "argo", "workflow-controller").Run() != nil ||
		exec.Command("kubectl", "get", "service", "-n", "traefik", "traefik-internal").Run() != nil {
		t.Skip("needs Argo and Traefik")
	}
	t.Cleanup(func() {
		if out, err := exec.Command("../../config/overlays/test/cluster.sh").CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// withOldImage makes filter run a version that the others do not run.
func withOldImage(t *testing.T, _ *system) {
	breakRevision(t, serviceOf["filter"],
		`[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"dev.local/imageflow:old"}]`)
}

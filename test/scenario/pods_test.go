package scenario

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

type podOnCluster struct {
	Metadata struct{ Name string }
	Spec     struct {
		Containers []struct {
			Name            string
			SecurityContext struct {
				RunAsNonRoot, ReadOnlyRootFilesystem, AllowPrivilegeEscalation bool
				Privileged                                                     bool
				Capabilities                                                   struct{ Add, Drop []string }
				SeccompProfile                                                 struct{ Type string }
			}
		}
	}
}

// TestOnClusterPodsMayDoNothing checks the rights of the pods and tries actions beyond them.
func TestOnClusterPodsMayDoNothing(t *testing.T) {
	needsCluster(t)
	var revisions []string // those of before may be ending
	for _, service := range serviceOf {
		revisions = append(revisions, latest(t, service))
	}
	var pods struct{ Items []podOnCluster }
	text := kubectl(t, "get", "pods", "-n", namespace, "-l",
		"serving.knative.dev/revision in ("+strings.Join(revisions, ",")+")", "-o", "json")
	if err := json.Unmarshal([]byte(text), &pods); err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) < len(revisions) {
		t.Fatalf("%d pods, want one of each of %v", len(pods.Items), revisions)
	}
	for _, pod := range pods.Items {
		t.Run(pod.Metadata.Name, func(t *testing.T) {
			for _, c := range pod.Spec.Containers {
				s := c.SecurityContext
				if !s.RunAsNonRoot || !s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation || s.Privileged ||
					len(s.Capabilities.Add) > 0 || !slices.Contains(s.Capabilities.Drop, "ALL") || s.SeccompProfile.Type != "RuntimeDefault" {
					t.Errorf("container %s: %+v", c.Name, s)
				}
			}
			ours := pod.Spec.Containers[0].Name
			powerless(t, pod.Metadata.Name, ours)
		})
	}
}

// powerless tries actions in a container that must fail.
func powerless(t *testing.T, pod, container string) {
	t.Helper()
	in := func(command ...string) (string, error) {
		out, err := exec.Command("kubectl", append([]string{"exec", "-n", namespace, pod, "-c", container, "--"}, command...)...).
			CombinedOutput()
		return string(out), err
	}
	if out, err := in("/imageflow", "--help"); err != nil || !strings.Contains(out, "Usage: imageflow") {
		t.Errorf("help: %v\n%s", err, out)
	}
	status, err := in("cat", "/proc/1/status")
	if err != nil {
		t.Fatal(err, status)
	}
	got := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(Uid|Gid|Cap\w+|NoNewPrivs|Seccomp):\s+(.*)$`).FindAllStringSubmatch(status, -1) {
		got[m[1]] = m[2]
	}
	const none = "0000000000000000"
	for name, want := range map[string]string{
		"Uid": "65532\t65532\t65532\t65532", "Gid": "65532\t65532\t65532\t65532",
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none, "NoNewPrivs": "1", "Seccomp": "2",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	for _, path := range []string{"/x", "/tmp/x", "/var/tmp/x"} {
		if out, err := in("touch", path); err == nil || !strings.Contains(out, "Read-only file system") {
			t.Errorf("%s can be written: %s", path, out)
		}
	}
}

// TestOnClusterRefusesRoot: the namespace refuses a pod that runs as root.
func TestOnClusterRefusesRoot(t *testing.T) {
	needsCluster(t)
	out, err := exec.Command("kubectl", "run", "root", "-n", namespace, "--image=dev.local/none:1", "--dry-run=server").
		CombinedOutput()
	if err == nil || !strings.Contains(string(out), `violates PodSecurity "restricted`) {
		t.Errorf("%v: %s", err, out)
	}
}

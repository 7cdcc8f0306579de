package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// knCopy is a Service that the lines of config/README.md are tried on: a copy of filter's.
const knCopy = "kn-copy"

// sh runs a line of a shell with kn and its plugin on the PATH, and returns what it prints.
func sh(t testing.TB, line string) string {
	t.Helper()
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kn", "kn-imageflow"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			t.Fatalf("%v: make kn", err)
		}
	}
	cmd := exec.Command("bash", "-c", line)
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	if !strings.Contains(line, " export ") {
		t.Logf("$ %s\n%s", line, out)
	}
	return string(out)
}

// knLines returns the lines of the first example about kn in config/README.md, without comments.
func knLines(t testing.TB) (lines []string) {
	t.Helper()
	text, err := os.ReadFile("../../config/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## kn\n")
	_, example, _ := strings.Cut(section, "\n```\n")
	example, _, _ = strings.Cut(example, "\n```\n")
	for _, line := range strings.Split(example, "\n") {
		if strings.HasPrefix(line, "kn ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestOnClusterKn_lines types the lines of config/README.md: lists, another image, a division of the traffic, all of it to
// the new revision, back to the old one, and a Trigger. The pods' counters say which revision answered.
func TestOnClusterKn_lines(t *testing.T) {
	needsCluster(t)
	file, image := filepath.Join(t.TempDir(), "resize.yaml"), deployCopy(t)
	with := strings.NewReplacer("resize-grpc-service", knCopy, "ksvc:audit", "ksvc:"+knCopy,
		"REGISTRY/imageflow@sha256:...", image, " resize.yaml", " "+file)
	checks := knChecks(t)
	for _, line := range knLines(t) {
		out := sh(t, with.Replace(line))
		for part, check := range checks {
			if strings.Contains(line, part) {
				check(out)
				delete(checks, part)
			}
		}
	}
	for part := range checks {
		t.Errorf("config/README.md has no line with %q", part)
	}
}

// knChecks returns, for parts of lines, the checks of what the line prints and of what it has done.
func knChecks(t testing.TB) map[string]func(out string) {
	first, second := knCopy+"-00001", knCopy+"-00002"
	const calls = 400
	return map[string]func(out string){
		"service list": func(out string) { contains(t, out, knCopy+" ", "grpc-gateway ", " True ") },
		"trigger list": func(out string) { contains(t, out, "chain-1-resize ", " /?target_width=800&target_height=600&") },
		"trigger describe": func(out string) {
			contains(t, out, "kubernetes.io/description=Makes each upload at most 800x600 pixels large, so that ")
		},
		"service apply": func(string) {
			contains(t, sh(t, "kn revision list -n "+namespace+" -s "+knCopy), second+" ")
			answeredBy(t, 20, map[string][2]int{first: {20, 20}}) // since the traffic is pinned
		},
		"=90 --traffic": func(string) { // 40 ± 6 calls go to the second: this range is ± 6 standard deviations
			answeredBy(t, calls, map[string][2]int{first: {calls - 76, calls - 4}, second: {4, 76}})
		},
		"@latest=100": func(string) { answeredBy(t, 40, map[string][2]int{second: {40, 40}}) },
		"-00001=100":  func(string) { answeredBy(t, 40, map[string][2]int{first: {40, 40}}) },
		"trigger create": func(string) {
			kubectl(t, "wait", "-n", namespace, "--for", "condition=Ready", "--timeout", "1m", "trigger/audit")
		},
		"trigger delete": func(string) {
			if out := kubectl(t, "get", "trigger", "-n", namespace, "-o", "name"); strings.Contains(out, "/audit\n") {
				t.Errorf("triggers: %s", out)
			}
		},
	}
}

// deployCopy deploys knCopy by kn, pins its traffic to its first revision, and returns the name of another image that it
// can have. All is removed when the test ends.
func deployCopy(t testing.TB) (image string) {
	t.Helper()
	var service map[string]any
	text := sh(t, "kn service export -n "+namespace+" "+serviceOf["filter"]+" --mode replay -o json")
	if err := json.Unmarshal([]byte(text), &service); err != nil {
		t.Fatal(err)
	}
	service["metadata"].(map[string]any)["name"] = knCopy
	delete(service["metadata"].(map[string]any), "annotations")
	renamed, err := json.Marshal(service)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "service.json")
	if err := os.WriteFile(file, renamed, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		kubectl(t, "delete", "-n", namespace, "--ignore-not-found", "trigger/audit")
		kubectl(t, "delete", "-n", namespace, "--ignore-not-found", "--cascade=foreground", "ksvc/"+knCopy)
	})
	sh(t, "kn service apply "+knCopy+" -n "+namespace+" -f "+file)
	sh(t, "kn service update "+knCopy+" -n "+namespace+" --traffic "+knCopy+"-00001=100")
	const imageOf = "jsonpath={.spec.template.spec.containers[0].image}"
	return kubectl(t, "get", "ksvc", "-n", namespace, serviceOf["detect"], "-o", imageOf)
}

// contains checks that a text contains others.
func contains(t testing.TB, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in\n%s", w, text)
		}
	}
}

// answeredBy waits until only these revisions of knCopy answer, makes calls, and checks by the pods' counters that each
// revision answered between a minimum and a maximum of them, and together all.
func answeredBy(t testing.TB, calls int, want map[string][2]int) {
	t.Helper()
	isWanted := func(got map[string]int) bool {
		for revision := range got {
			if _, ok := want[revision]; !ok {
				return false
			}
		}
		return len(got) == len(want)
	}
	eventually(t, fmt.Sprint("answers of ", want), func() bool { return isWanted(callCopy(t, 40)) })
	began := time.Now()
	got, all := callCopy(t, calls), 0
	for revision, n := range got {
		all += n
		if n < want[revision][0] || n > want[revision][1] {
			t.Errorf("%s answered %d of %d calls, want %v", revision, n, calls, want[revision])
		}
	}
	t.Logf("%d calls in %v, answered by %v", calls, time.Since(began).Round(time.Millisecond), got)
	if all != calls {
		t.Errorf("the pods have counted %d of %d calls", all, calls)
	}
}

// callCopy makes calls of knCopy and returns how many of them each revision has answered.
func callCopy(t testing.TB, calls int) map[string]int {
	t.Helper()
	before := answers(t)
	client := imageflowv1.NewFilterServiceClient(dial(t, knCopy+"."+namespace+".svc.cluster.local:80"))
	img, next := jpegOf(t, 32, 24), make(chan int)
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range next {
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				_, err := client.ApplyFilter(ctx, &imageflowv1.FilterRequest{
					InputBytes: img, FilterType: imageflowv1.FilterType_FILTER_TYPE_BLUR, Intensity: 1,
				})
				cancel()
				if err != nil {
					t.Errorf("call: %v", err)
				}
			}
		})
	}
	for i := range calls {
		next <- i
	}
	close(next)
	callers.Wait()
	got := map[string]int{}
	for pod, n := range answers(t) {
		if n -= before[pod]; n > 0 {
			got[revisionOf.FindString(pod)] += n
		}
	}
	return got
}

var (
	revisionOf = regexp.MustCompile(`^` + knCopy + `-[0-9]+`)
	answered   = regexp.MustCompile(`(?m)^imageflow_request_duration_seconds_count\{.*FilterService/ApplyFilter".*\} ([0-9]+)$`)
)

// answers returns how many calls each pod of knCopy has answered.
func answers(t testing.TB) map[string]int {
	t.Helper()
	counts := map[string]int{}
	names := kubectl(t, "get", "pods", "-n", namespace, "-l", "serving.knative.dev/service="+knCopy,
		"--field-selector", "status.phase=Running", "-o", "jsonpath={.items[*].metadata.name}")
	for _, pod := range strings.Fields(names) {
		path := "/api/v1/namespaces/" + namespace + "/pods/" + pod + ":9095/proxy/metrics"
		text, err := exec.Command("kubectl", "get", "--raw", path).Output()
		if err != nil {
			continue // it starts or ends
		}
		for _, m := range answered.FindAllStringSubmatch(string(text), -1) {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			counts[pod] += n
		}
	}
	return counts
}

// TestOnClusterKn_plugin: kn finds the plugin, which shows the deployment, its chains, executions and dead letters.
func TestOnClusterKn_plugin(t *testing.T) {
	needsCluster(t)
	s := cluster(t)
	run := fmt.Sprint("kn/", time.Now().UnixNano())
	s.put(t, run+"-cat.jpg", "image/jpeg", jpegOf(t, 900, 600))
	s.put(t, run+"-text.jpg", "image/jpeg", []byte("dear diary"))
	eventually(t, "the outcomes", func() bool {
		return s.tag(t, run+"-cat.jpg") == "completed" && s.tag(t, run+"-text.jpg") == "failed"
	})
	eventually(t, "the executions in the list", func() bool {
		out, err := exec.Command("../../bin/kn-imageflow", "execution", "list").Output()
		return err == nil && strings.Contains(string(out), "resize,detect,filter") && strings.Contains(string(out), "FAILED")
	})
	for line, want := range map[string][]string{
		"kn plugin list":                                   {"kn-imageflow"},
		"kn imageflow version":                             {"kn-imageflow "},
		"kn imageflow status":                              {"grpc-gateway", "chain-1-resize", "Broker "},
		"kn imageflow chain list":                          {"chain ", "resize,detect,filter"},
		"kn imageflow chain describe chain":                {"└─ chain-1-resize: ", "Makes each upload at most 800x600 pixels large"},
		"kn imageflow execution list":                      {run + "-cat ", "resize,detect,filter", run + "-text ", "FAILED"},
		"kn imageflow execution list -o name":              {run + "-cat\n"},
		"kn imageflow execution describe " + run + "-text": {"FAILED", "kn imageflow dead-letter replay "},
		"kn imageflow dead-letter list":                    {run + "-text ", " 400 "},
	} {
		contains(t, sh(t, line), want...)
	}
	dry := sh(t, "kn imageflow chain apply shop --prefix shop/ --step 'resize?target_width=90' --step detect --dry-run")
	contains(t, dry, "kubernetes.io/description: Runs resize on uploads under shop/ with target_width=90,")
}

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	fakekube "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	fakeserving "knative.dev/serving/pkg/client/clientset/versioned/fake"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
)

// bridged is a deployment with a bridge, and a Job if there is one.
func bridged(jobs ...*batchv1.Job) *cluster.Clients {
	s := &servingv1.Service{ObjectMeta: named("bridge")}
	s.Spec.Template.Spec.PodSpec = corev1.PodSpec{ServiceAccountName: "bridge", Containers: []corev1.Container{{
		Name: "bridge", Image: "imageflow:v7", Args: []string{"bridge"}, Env: []corev1.EnvVar{{Name: "BROKER_URL", Value: "http://b"}},
		ReadinessProbe: &corev1.Probe{}, Ports: []corev1.ContainerPort{{ContainerPort: 8080}},
	}}}
	kube := fakekube.NewSimpleClientset()
	for _, j := range jobs {
		_ = kube.Tracker().Add(j)
	}
	return &cluster.Clients{Serving: fakeserving.NewSimpleClientset(s), Kube: kube, Namespace: "image-processing"}
}

// jobWith is a run with a condition; "" means that it is active.
func jobWith(condition batchv1.JobConditionType) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: named("backfill")}
	j.Spec.Template.Spec.Containers = []corev1.Container{{Args: []string{"run", "--prefix=old/"}}}
	if condition != "" {
		j.Status.Conditions = []batchv1.JobCondition{{Type: condition, Status: corev1.ConditionTrue}}
	}
	return j
}

// TestRun: the Job is the bridge's container with the arguments of imageflow run. One that has ended is replaced.
func TestRun(t *testing.T) {
	for flags, want := range map[string]string{
		"": "run --resume --prefix= --in-flight=8", "--dry-run --prefix a/": "run --dry-run --prefix=a/ --in-flight=8",
		"--restart --again --rate 2.5": "run --restart --prefix= --again=true --rate=2.5 --in-flight=8",
		"--since 2026-11-25T03:00:00Z --in-flight 2 --bucket b --chain c --wait 1m": "run --resume --bucket=b --prefix= --chain=c " +
			"--in-flight=2 --wait=1m0s --since=2026-11-25T03:00:00Z",
	} {
		clients := bridged(jobWith(batchv1.JobFailed))
		code, _, wrong := call(t, clients, append([]string{"run", "--no-follow"}, strings.Fields(flags)...)...)
		job, err := clients.Kube.BatchV1().Jobs("image-processing").Get(t.Context(), "backfill", metav1.GetOptions{})
		if code != 0 || err != nil {
			t.Fatalf("%s: code %d, %s, %v", flags, code, wrong, err)
		}
		pod := job.Spec.Template
		c := pod.Spec.Containers[0]
		if got := strings.Join(c.Args, " "); got != want || c.Image != "imageflow:v7" || c.Env[0].Value != "http://b" ||
			c.ReadinessProbe != nil || pod.Spec.ServiceAccountName != "bridge" || pod.Labels[cluster.ComponentLabel] != "backfill" {
			t.Errorf("%s: the Job has %q, want %q, and %+v", flags, got, want, pod)
		}
	}
}

// TestRunWrong: the errors of a run that does not begin.
func TestRunWrong(t *testing.T) {
	for _, c := range []struct {
		clients    *cluster.Clients
		args, want string
	}{
		{bridged(jobWith("")), "run", "a run is active: imageflow run --prefix=old/; see kn imageflow run follow, or end it with"},
		{&cluster.Clients{Serving: fakeserving.NewSimpleClientset()}, "run", `"bridge" not found`},
		{bridged(), "run --since yesterday", "since"}, {bridged(), "run --dry-run --restart", "[dry-run restart]"},
		{bridged(), "run follow", "there is no run"}, {bridged(), "run stop", "there is no run"},
	} {
		if code, _, wrong := call(t, c.clients, strings.Fields(c.args)...); code != 1 || !strings.Contains(wrong, c.want) {
			t.Errorf("%s: code %d, %s, want %s", c.args, code, wrong, c.want)
		}
	}
}

// ofJob serves a Job that ends with a condition, and the logs of its two pods, of which the second replaced the first.
func ofJob(t *testing.T, condition batchv1.JobConditionType) *cluster.Clients {
	t.Helper()
	job := jobWith("")
	job.UID = "u1"
	pod := func(name, at string) string {
		return fmt.Sprintf(`{"metadata": {"name": %q, "creationTimestamp": %q}, "status": {"phase": "Running"}}`, name, at)
	}
	logs := map[string][]string{
		"one": {"2026-11-28T10:00:00.1Z first\n", "2026-11-28T10:00:00.1Z first\n2026-11-28T10:00:00.2Z killed\n"},
		"two": {"2026-11-28T10:01:00.1Z resumed\n"},
	}
	asked := map[string]int{}
	api := http.NewServeMux()
	api.HandleFunc("GET /apis/batch/v1/namespaces/image-processing/jobs/backfill", func(w http.ResponseWriter, _ *http.Request) {
		if asked["two"] > 1 {
			job.Status = jobWith(condition).Status
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(job)
	})
	const folder = "/api/v1/namespaces/image-processing/pods"
	api.HandleFunc("GET "+folder, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.FormValue("labelSelector") == batchv1.ControllerUidLabel+"=u1" {
			fmt.Fprintf(w, `{"kind": "PodList", "apiVersion": "v1", "items": [%s, %s]}`,
				pod("two", "2026-11-28T10:01:00Z"), pod("one", "2026-11-28T10:00:00Z"))
		}
	})
	api.HandleFunc("GET "+folder+"/{pod}/log", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("pod")
		_, _ = w.Write([]byte(logs[name][min(asked[name], len(logs[name])-1)]))
		asked[name]++
	})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	kube, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return &cluster.Clients{Kube: kube, Namespace: "image-processing"}
}

// TestRunFollow: every line of the pods' logs is printed once, in their order, and the exit code is the Job's.
func TestRunFollow(t *testing.T) {
	for condition, code := range map[batchv1.JobConditionType]int{batchv1.JobComplete: 0, batchv1.JobFailed: 1} {
		got, out, wrong := call(t, ofJob(t, condition), "run", "follow")
		lines := strings.Fields(out)
		slices.Sort(lines)
		if got != code || strings.Join(lines, " ") != "first killed resumed" || !strings.HasPrefix(out, "first\n") {
			t.Errorf("%s: code %d, %s%s", condition, got, out, wrong)
		}
	}
}

package overlay

import (
	"bytes"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

func build(t *testing.T, images ...string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := Build("testdata", images)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// TestBuild: namespaces come first, and --image replaces an image that the overlay has.
func TestBuild(t *testing.T) {
	objects := build(t, "dev.local/imageflow=registry:5000/imageflow@sha256:12")
	var names []string
	for _, o := range objects {
		names = append(names, Name(o))
	}
	if got := strings.Join(names, " "); got != "namespace/flow configmap/triggers job.batch/setup" {
		t.Errorf("got %s", got)
	}
	containers, _, _ := unstructured.NestedSlice(objects[2].Object, "spec", "template", "spec", "containers")
	if got := containers[0].(map[string]any)["image"]; got != "registry:5000/imageflow@sha256:12" {
		t.Errorf("the image is %v", got)
	}
	for image, want := range map[string]string{"other=x:1": "the overlay has no image other", "x": "it must be NAME=IMAGE"} {
		if _, err := Build("testdata", []string{image}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("--image=%s: got %v, want %s", image, err, want)
		}
	}
}

// TestApply applies an overlay to a real API server: again, changed, with a changed Job, and over the fields of others.
func TestApply(t *testing.T) {
	a := apiServer(t)
	ours := metav1.ApplyOptions{FieldManager: "ours"}
	expect := func(options metav1.ApplyOptions, objects []*unstructured.Unstructured, wants ...string) {
		t.Helper()
		for i, o := range objects {
			if got, err := a.Apply(t.Context(), o, options); err != nil || got != wants[i] {
				t.Errorf("%s: %s, %v, want %s", Name(o), got, err, wants[i])
			}
		}
	}
	expect(ours, build(t), "created", "created", "created")
	expect(ours, build(t), "unchanged", "unchanged", "unchanged")
	changed := build(t, "dev.local/imageflow=dev.local/imageflow:v2")
	_ = unstructured.SetNestedField(changed[1].Object, "b", "data", "small")
	for i, want := range []string{"", "-  small: a\n+  small: b\n", "job.batch/setup would be replaced\n"} {
		got, err := a.Diff(t.Context(), changed[i], ours)
		if err != nil || (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("diff of %s: %v, %q, want %q", Name(changed[i]), err, got, want)
		}
	}
	expect(ours, changed, "unchanged", "configured", "replaced")

	theirs := metav1.ApplyOptions{FieldManager: "theirs"}
	if _, err := a.Apply(t.Context(), build(t)[1], theirs); !apierrors.IsConflict(err) {
		t.Errorf("another's field: got %v", err)
	}
	theirs.Force = true
	expect(theirs, build(t)[1:2], "configured")
	unknown := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate"}}
	_, err := a.Apply(t.Context(), unknown, ours)
	if err == nil || !strings.Contains(err.Error(), "install what defines argoproj.io") {
		t.Errorf("an unknown kind: got %v", err)
	}
	expectWait(t, a, changed)
}

// expectWait checks that the Job is waited for until its status says that it is complete.
func expectWait(t *testing.T, a *Applier, objects []*unstructured.Unstructured) {
	t.Helper()
	err := a.Wait(t.Context(), 0, objects, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "1 object not ready; see") ||
		!strings.Contains(err.Error(), "job.batch/setup: no status yet") {
		t.Errorf("nothing runs the Job, but the wait ends with %v", err)
	}
	jobs, err := a.resource(objects[2])
	if err != nil {
		t.Fatal(err)
	}
	const status = `{"status": {"startTime": "2026-11-28T10:00:00Z", "completionTime": "2026-11-28T10:00:01Z", "succeeded": 1,
		"conditions": [{"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}]}}`
	_, err = jobs.Patch(t.Context(), "setup", types.MergePatchType, []byte(status), metav1.PatchOptions{}, "status")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := a.Wait(t.Context(), time.Minute, objects, &out); err != nil || out.String() != "job.batch/setup: ready\n" {
		t.Errorf("got %v\n%s", err, out.String())
	}
	expectWaitWithoutJob(t, a, objects, jobs)
}

// expectWaitWithoutJob checks that a Job may be deleted once it is complete, though another object is waited for.
func expectWaitWithoutJob(t *testing.T, a *Applier, objects []*unstructured.Unstructured, jobs dynamic.ResourceInterface) {
	t.Helper()
	minio := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "minio", "namespace": "flow"},
		"spec": map[string]any{
			"selector": map[string]any{"matchLabels": map[string]any{"app": "minio"}},
			"template": map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"app": "minio"}},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": "minio", "image": "minio"}}},
			},
		},
	}}
	if _, err := a.Apply(t.Context(), minio, metav1.ApplyOptions{FieldManager: "test"}); err != nil {
		t.Fatal(err)
	}
	out := &onWrite{f: func() {
		_ = jobs.Delete(t.Context(), "setup", metav1.DeleteOptions{})
	}}
	err := a.Wait(t.Context(), 2*time.Second, append(objects, minio), out)
	if err == nil || strings.Contains(err.Error(), "setup") {
		t.Errorf("got %v, want that only minio is not ready", err)
	}
}

// onWrite calls f when something is written.
type onWrite struct{ f func() }

func (w *onWrite) Write(p []byte) (int, error) {
	w.f()
	return len(p), nil
}

package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

// TestOnClusterArgo runs the templates of config/argo on the cluster's own Argo: the workflow of
// the design document, at its port 8080, and the one call.
func TestOnClusterArgo(t *testing.T) {
	if !*onCluster {
		t.Skip("needs a cluster: make e2e")
	}
	s := connect(t)
	for template, calls := range map[string]string{
		"grpc-image-processing": "grpc-resize-call grpc-ai-detection-call grpc-filter-call",
		"image-pipeline":        "pipeline",
	} {
		t.Run(template, func(t *testing.T) { s.argoSucceeds(t, template, calls) })
	}
	for _, c := range []struct{ template, entrypoint string }{
		{"grpc-image-processing", "main"},
		{"grpc-image-processing", "grpc-ai-detection-call"}, // this step alone
		{"grpc-image-processing", "grpc-filter-call"},
		{"image-pipeline", "pipeline"},
	} {
		t.Run(c.entrypoint+" without its image", func(t *testing.T) {
			t.Parallel()
			s.argoFails(t, c.template, c.entrypoint)
		})
	}
}

// argoSucceeds checks the outputs of an image that exists, and logs the times.
func (s *system) argoSucceeds(t *testing.T, template, steps string) {
	id := s.argoID(t)
	s.place(t, id+".png", pngOf(t, 1200, 1200))
	w := runWorkflow(t, template, map[string]string{"execution-id": id, "input-file": id + ".png"}, "")
	if w.Status.Phase != "Succeeded" {
		t.Fatalf("%s %q: %+v", w.Status.Phase, w.Status.Message, w.Status.Nodes)
	}
	var made []string
	for _, call := range w.calls() {
		made = append(made, call.TemplateName)
		t.Logf("%s: %s until Argo knew of it", call.TemplateName, call.FinishedAt.Sub(call.StartedAt))
	}
	t.Logf("the whole workflow: %s", w.Status.FinishedAt.Sub(w.Metadata.CreationTimestamp))
	if got := strings.Join(made, " "); got != steps {
		t.Errorf("the calls were %s, want %s", got, steps)
	}
	for _, step := range []string{"resize", "ai-detection", "filter"} {
		key := id + "_" + step + ".png"
		if got := s.size(t, key); got != image.Pt(600, 600) {
			t.Errorf("%s is %v, want 600×600", key, got)
		}
	}
}

// argoFails starts a template at an entry point whose image does not exist: the call is made once,
// and the step keeps the answer, which names the object.
func (s *system) argoFails(t *testing.T, template, entrypoint string) {
	id := s.argoID(t)
	w := runWorkflow(t, template, map[string]string{
		"execution-id": id, "input-file": id + ".png", "output-file": id + "_out.png",
	}, entrypoint)
	calls := w.calls()
	if w.Status.Phase != "Failed" || len(calls) != 1 {
		t.Fatalf("%s %q: %+v", w.Status.Phase, w.Status.Message, w.Status.Nodes)
	}
	var answer struct{ Message string }
	if err := json.Unmarshal([]byte(calls[0].Outputs.Result), &answer); err != nil {
		t.Fatalf("%v: %q", err, calls[0].Outputs.Result)
	}
	t.Logf("after %s: %q, %q", w.Status.FinishedAt.Sub(w.Metadata.CreationTimestamp), calls[0].Message, answer.Message)
	if !strings.Contains(calls[0].Message, "404") || !strings.Contains(answer.Message, fmt.Sprintf("no object %q", id+".png")) {
		t.Errorf("the step says %q, and the answer %q", calls[0].Message, answer.Message)
	}
	if keys := s.keys(t, id); len(keys) != 0 {
		t.Errorf("written: %q", keys)
	}
}

// argoID returns a new execution id. Its objects are removed when the test ends.
func (s *system) argoID(t *testing.T) string {
	id := fmt.Sprintf("argo/%d", time.Now().UnixNano())
	t.Cleanup(func() {
		for _, key := range s.keys(t, id) {
			if err := s.s3.RemoveObject(context.Background(), bucket, key, minio.RemoveObjectOptions{}); err != nil {
				t.Error(err)
			}
		}
	})
	return id
}

// workflow is the status of a workflow, as Argo reports it.
type workflow struct {
	Metadata struct{ CreationTimestamp time.Time }
	Status   struct {
		Phase, Message string
		FinishedAt     time.Time
		Nodes          map[string]node
	}
}

// node is a step, or one attempt of a step. Argo's times are whole seconds.
type node struct {
	TemplateName, Type, Message string
	StartedAt, FinishedAt       time.Time
	Outputs                     struct{ Result string }
}

// calls are the HTTP calls, in order.
func (w workflow) calls() []node {
	calls := slices.SortedFunc(maps.Values(w.Status.Nodes), func(a, b node) int { return a.StartedAt.Compare(b.StartedAt) })
	return slices.DeleteFunc(calls, func(n node) bool { return n.Type != "HTTP" })
}

// runWorkflow submits a WorkflowTemplate, waits for its end, removes it, and returns its status. An
// empty entry point means the template's own.
func runWorkflow(t *testing.T, template string, parameters map[string]string, entrypoint string) workflow {
	t.Helper()
	type parameter struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	var arguments []parameter
	for name, value := range parameters {
		arguments = append(arguments, parameter{name, value})
	}
	manifest, err := json.Marshal(map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
		"metadata": map[string]any{"generateName": "argo-", "namespace": namespace},
		"spec": map[string]any{
			"workflowTemplateRef": map[string]any{"name": template},
			"arguments":           map[string]any{"parameters": arguments},
			"entrypoint":          entrypoint,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "workflow.json")
	if err := os.WriteFile(file, manifest, 0o644); err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSpace(kubectl(t, "create", "--filename", file, "--output", "name"))
	t.Cleanup(func() { kubectl(t, "delete", "--namespace", namespace, "--wait=false", name) })
	kubectl(t, "wait", "--namespace", namespace, name, "--for", "condition=Completed", "--timeout", "3m")
	var w workflow
	if err := json.Unmarshal([]byte(kubectl(t, "get", "--namespace", namespace, name, "--output", "json")), &w); err != nil {
		t.Fatal(err)
	}
	return w
}

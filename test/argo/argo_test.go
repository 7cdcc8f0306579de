// Package argo_test runs Argo's own lint on config/argo. It is a module of its own because Argo's
// packages do not compile with the Kubernetes libraries of the main module. `go test -count=1` in
// this folder runs it: a cached result ignores changes outside the module.
package argo_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"github.com/argoproj/argo-workflows/v3/workflow/templateresolution"
	"github.com/argoproj/argo-workflows/v3/workflow/validate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// templates holds the templates of config/argo by name; Argo resolves references in it.
type templates map[string]*wfv1.WorkflowTemplate

func (all templates) Get(name string) (*wfv1.WorkflowTemplate, error) {
	if t, ok := all[name]; ok {
		return t, nil
	}
	return nil, fmt.Errorf("there is no WorkflowTemplate %s", name)
}

// arguments holds the arguments that a person gives, by template.
var arguments = map[string]map[string]string{
	"grpc-image-processing": {"execution-id": "cat"},
	"image-pipeline":        {"execution-id": "cat", "input-file": "cat.jpg"},
}

func TestTemplates(t *testing.T) {
	all := read(t)
	cluster := &templateresolution.NullClusterWorkflowTemplateGetter{}
	for name, values := range arguments {
		template, err := all.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.ValidateWorkflowTemplate(all, cluster, template, validate.ValidateOpts{Lint: true}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := validate.ValidateWorkflow(all, cluster, submit(name, values), validate.ValidateOpts{}); err != nil {
			t.Errorf("a workflow of %s: %v", name, err)
		}
		if err := validate.ValidateWorkflow(all, cluster, submit(name, nil), validate.ValidateOpts{}); err == nil {
			t.Errorf("a workflow of %s without an execution id is taken", name)
		}
	}
}

// TestSteps: the steps call the URLs of the design document.
func TestSteps(t *testing.T) {
	var steps []string
	for _, s := range read(t)["grpc-image-processing"].Spec.Templates {
		if s.HTTP == nil {
			continue
		}
		steps = append(steps, s.HTTP.Method+" "+strings.TrimPrefix(s.HTTP.URL, "{{workflow.parameters.gateway}}"))
		if s.RetryStrategy == nil {
			t.Errorf("%s has no retries", s.Name)
		}
	}
	if got, want := strings.Join(steps, ", "), "POST /v1/resize, POST /v1/detect, POST /v1/filter"; got != want {
		t.Errorf("steps %s, want %s", got, want)
	}
}

// TestTimeLimits: they are those of the workflow, since Argo's agent ends the context of a step with timeoutSeconds
// before it has read the answer, and so fails at answers that are not yet in its buffer.
func TestTimeLimits(t *testing.T) {
	for name, template := range read(t) {
		if template.Spec.ActiveDeadlineSeconds == nil {
			t.Errorf("%s has no time limit", name)
		}
		for _, s := range template.Spec.Templates {
			if s.HTTP != nil && s.HTTP.TimeoutSeconds != nil {
				t.Errorf("%s: %s has timeoutSeconds", name, s.Name)
			}
		}
	}
}

// submit returns the Workflow that `argo submit --from` makes.
func submit(name string, values map[string]string) *wfv1.Workflow {
	w := &wfv1.Workflow{
		ObjectMeta: metav1.ObjectMeta{Name: "test", Namespace: "image-processing"},
		Spec:       wfv1.WorkflowSpec{WorkflowTemplateRef: &wfv1.WorkflowTemplateRef{Name: name}},
	}
	for name, value := range values {
		w.Spec.Arguments.Parameters = append(w.Spec.Arguments.Parameters, wfv1.Parameter{Name: name, Value: wfv1.AnyStringPtr(value)})
	}
	return w
}

// read returns the templates; a field that Argo does not know is an error.
func read(t *testing.T) templates {
	t.Helper()
	files, err := filepath.Glob("../../config/argo/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := templates{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "kind: WorkflowTemplate") {
			continue
		}
		template := &wfv1.WorkflowTemplate{}
		if err := yaml.UnmarshalStrict(text, template); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[template.Name] = template
	}
	return all
}

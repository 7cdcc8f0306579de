package overlay

import (
	"context"

	"github.com/pmezard/go-difflib/difflib"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Diff describes how Apply would change an object, as a unified diff of YAML; empty if it would not. It changes nothing.
func (a *Applier) Diff(ctx context.Context, o *unstructured.Unstructured, options metav1.ApplyOptions) (string, error) {
	resource, err := a.resource(o)
	if err != nil {
		return "", err
	}
	live, err := resource.Get(ctx, o.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) { // not sent, since its namespace may not exist yet
		return Name(o) + " would be created\n", nil
	}
	if err != nil {
		return "", err
	}
	options.DryRun = []string{metav1.DryRunAll}
	made, err := resource.Apply(ctx, o.GetName(), o, options)
	if isImmutableJob(o, err) {
		return Name(o) + " would be replaced\n", nil
	}
	if err != nil {
		return "", err
	}
	before, err := yamlOf(live)
	if err != nil {
		return "", err
	}
	after, err := yamlOf(made)
	if err != nil {
		return "", err
	}
	return difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(before), B: difflib.SplitLines(after), FromFile: Name(o), ToFile: "overlay", Context: 3,
	})
}

// yamlOf formats an object without what the API server and controllers keep in it.
func yamlOf(o *unstructured.Unstructured) (string, error) {
	o.SetManagedFields(nil)
	o.SetResourceVersion("")
	o.SetGeneration(0)
	unstructured.RemoveNestedField(o.Object, "status")
	made, err := yaml.Marshal(o.Object)
	return string(made), err
}

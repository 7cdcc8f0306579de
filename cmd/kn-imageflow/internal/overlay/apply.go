package overlay

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// Applier applies objects of any kind to a cluster. It may not be used concurrently.
type Applier struct {
	Client dynamic.Interface
	Mapper meta.RESTMapper
	// defined has the API groups of the kinds whose definitions were applied.
	defined map[string]bool
}

// NewApplier makes an Applier of a cluster. It sends no request.
func NewApplier(config *rest.Config) (*Applier, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	kinds, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return &Applier{Client: client, Mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(kinds))}, nil
}

// resource returns the client of an object's kind and namespace.
func (a *Applier) resource(o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := o.GroupVersionKind()
	mapping, err := a.Mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) && a.defined[kind.Group] {
		meta.MaybeResetRESTMapper(a.Mapper) // which has the kinds of the time before
		return nil, fmt.Errorf("%w: %s", errNotServed, kind.Kind)
	}
	if meta.IsNoMatchError(err) {
		return nil, fmt.Errorf("the cluster lacks this kind: install what defines %s, or leave it out of the overlay", kind.Group)
	}
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return a.Client.Resource(mapping.Resource), nil
	}
	return a.Client.Resource(mapping.Resource).Namespace(o.GetNamespace()), nil
}

// Apply applies an object by server-side apply, and returns what changed: created, configured, unchanged or replaced.
func (a *Applier) Apply(
	ctx context.Context, o *unstructured.Unstructured, options metav1.ApplyOptions,
) (change string, err error) {
	resource, err := a.resource(o)
	if err != nil {
		return "", err
	}
	before, err := resource.Get(ctx, o.GetName(), metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return "", err
	}
	isNew := err != nil
	after, err := resource.Apply(ctx, o.GetName(), o, options)
	if err == nil {
		a.addDefinition(o)
	}
	switch {
	case isImmutableJob(o, err):
		return "replaced", replaceJob(ctx, resource, o, options)
	case err != nil:
		return "", err
	case isNew:
		return "created", nil
	}
	old, err := yamlOf(before)
	if err != nil {
		return "", err
	}
	if made, err := yamlOf(after); err != nil || made == old {
		return "unchanged", err
	}
	return "configured", nil
}

// addDefinition keeps the API group of the kind that an object defines, if it is a CustomResourceDefinition.
func (a *Applier) addDefinition(o *unstructured.Unstructured) {
	group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
	if o.GetKind() != "CustomResourceDefinition" || group == "" {
		return
	}
	if a.defined == nil {
		a.defined = map[string]bool{}
	}
	a.defined[group] = true
}

// replaceJob deletes a Job with its pods and applies another, since Kubernetes allows no change of a Job.
func replaceJob(
	ctx context.Context, jobs dynamic.ResourceInterface, o *unstructured.Unstructured, options metav1.ApplyOptions,
) error {
	background := metav1.DeletePropagationBackground
	if err := jobs.Delete(ctx, o.GetName(), metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		return fmt.Errorf("delete the old Job: %w", err)
	}
	_, err := jobs.Apply(ctx, o.GetName(), o, options)
	return err
}

// isImmutableJob reports whether err is the refusal to change a Job.
func isImmutableJob(o *unstructured.Unstructured, err error) bool {
	return apierrors.IsInvalid(err) && o.GetKind() == "Job" && strings.Contains(err.Error(), "field is immutable")
}

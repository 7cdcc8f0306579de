// Package overlay builds kustomize overlays and applies them to a cluster.
package overlay

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/filters/imagetag"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Build returns the objects of a kustomize overlay in the order in which they can be applied. Each image is NAME=IMAGE: the
// containers with the image NAME, of any tag, get IMAGE.
func Build(folder string, images []string) ([]*unstructured.Unstructured, error) {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy // namespaces come first
	built, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, err
	}
	for _, image := range images {
		if err := replace(built, image); err != nil {
			return nil, err
		}
	}
	var objects []*unstructured.Unstructured
	for _, r := range built.Resources() {
		o := &unstructured.Unstructured{}
		text, err := r.MarshalJSON() // Map has integers that copies of an object cannot have
		if err == nil {
			err = o.UnmarshalJSON(text)
		}
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// replace replaces an image of an overlay, which must have it.
func replace(built resmap.ResMap, image string) error {
	name, by, ok := strings.Cut(image, "=")
	if !ok || name == "" || by == "" {
		return fmt.Errorf("--image=%s: it must be NAME=IMAGE, such as dev.local/imageflow=dev.local/imageflow:v1", image)
	}
	to := types.Image{Name: name, NewName: by}
	if repository, digest, ok := strings.Cut(by, "@"); ok {
		to.NewName, to.Digest = repository, digest
	} else if i := strings.LastIndexByte(by, ':'); i > strings.LastIndexByte(by, '/') {
		to.NewName, to.NewTag = by[:i], by[i+1:]
	}
	before, err := built.AsYaml()
	if err != nil {
		return err
	}
	if err := built.ApplyFilter(imagetag.LegacyFilter{ImageTag: to}); err != nil {
		return err
	}
	after, err := built.AsYaml()
	if err == nil && string(before) == string(after) && !strings.Contains(string(after), by) {
		return fmt.Errorf("--image=%s: the overlay has no image %s", image, name)
	}
	return err
}

// Name returns the kind, the API group and the name of an object, as kubectl does.
func Name(o *unstructured.Unstructured) string {
	kind := strings.ToLower(o.GetKind())
	if group := o.GroupVersionKind().Group; group != "" {
		kind += "." + group
	}
	return kind + "/" + o.GetName()
}

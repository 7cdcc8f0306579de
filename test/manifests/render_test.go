// Package manifests_test checks config/ without a cluster, by the rules of a cluster.
package manifests_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const root = "../.."

// renders are the ways to render config/: a kustomization, with components.
var renders = map[string]struct {
	base       string
	components []string
}{
	"base":               {"config/base", nil},
	"overlay production": {"config/overlays/production", nil},
	"overlay test":       {"config/overlays/test", nil},
	"argo":               {"config/argo", nil},
	"monitoring":         {"config/monitoring", nil},
	"activator":          {"config/base", []string{"activator"}},
	"cpu":                {"config/base", []string{"cpu"}},
	"direct":             {"config/base", []string{"direct"}},
	"models-in-bucket":   {"config/base", []string{"models-in-bucket"}},
	"triton-sidecar":     {"config/base", []string{"triton-sidecar"}},
	"triton-elsewhere":   {"config/base", []string{"triton-elsewhere"}},
	"kafka":              {"config/base", []string{"kafka"}},
	"setup":              {"config/base", []string{"setup"}},
	"tracing":            {"config/base", []string{"tracing"}},
	"oidc":               {"config/base", []string{"oidc"}},
	"presets":            {"config/base", []string{"presets"}},
	"webhooks":           {"config/base", []string{"webhooks"}},
	"console":            {"config/base", []string{"console", "setup", "per-role-credentials"}},
	"per-role":           {"config/base", []string{"setup", "per-role-credentials"}},
	"many": {"config/overlays/production", []string{
		"webhooks", "console", "presets", "kafka", "setup", "tracing", "oidc", "models-in-bucket",
	}},
}

// object is an object of a render.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`

	text []byte
}

func (o object) String() string { return o.Kind + " " + o.Metadata.Name }

// into decodes the object, and fails on a field that v does not have.
func (o object) into(t *testing.T, v any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(o.text, v); err != nil {
		t.Fatalf("%v: %v", o, err)
	}
}

// rendered returns the objects of each render, by its name.
var rendered = sync.OnceValues(func() (map[string][]object, error) {
	all := map[string][]object{}
	for name, r := range renders {
		objects, err := render(r.base, r.components)
		if err != nil {
			return nil, err
		}
		all[name] = objects
	}
	return all, nil
})

func render(base string, components []string) ([]object, error) {
	folder, err := os.MkdirTemp("", "render")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	k := types.Kustomization{Resources: []string{relative(folder, base)}}
	for _, c := range components {
		k.Components = append(k.Components, relative(folder, filepath.Join("config/components", c)))
	}
	text, err := yaml.Marshal(k)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), text, 0o600); err != nil {
		return nil, err
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, err
	}
	var objects []object
	for _, r := range resources.Resources() {
		var o object
		if o.text, err = r.AsYAML(); err == nil {
			err = yaml.Unmarshal(o.text, &o)
		}
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// relative returns the path of a folder of the repository relative to another folder, since
// kustomize accepts no absolute paths.
func relative(from, to string) string {
	absolute, err := filepath.Abs(filepath.Join(root, to))
	if err == nil {
		to, err = filepath.Rel(from, absolute)
	}
	if err != nil {
		panic(err)
	}
	return to
}

// each calls check with every object of every render.
func each(t *testing.T, check func(*testing.T, object)) {
	t.Helper()
	all, err := rendered()
	if err != nil {
		t.Fatal(err)
	}
	for name, objects := range all {
		t.Run(name, func(t *testing.T) {
			for _, o := range objects {
				check(t, o)
			}
		})
	}
}

// find returns an object of a render by its name.
func find(t *testing.T, name, kind, object string) object {
	t.Helper()
	all, err := rendered()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all[name] {
		if o.Kind == kind && o.Metadata.Name == object {
			return o
		}
	}
	t.Fatalf("%s has no %s %s", name, kind, object)
	panic("unreachable")
}

// TestEveryFolderIsRendered: renders covers every folder of config/.
func TestEveryFolderIsRendered(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "config/*/*/kustomization.yaml"))
	if err != nil || len(files) < 7 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		folder, seen := strings.TrimPrefix(filepath.Dir(file), root+"/"), false
		for _, r := range renders {
			for _, c := range r.components {
				seen = seen || folder == "config/components/"+c
			}
			seen = seen || folder == r.base
		}
		if !seen {
			t.Errorf("%s is rendered by no test", folder)
		}
	}
}

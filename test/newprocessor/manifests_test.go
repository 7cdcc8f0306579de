package newprocessor_test

import (
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// TestManifests renders the manifests with invert: it has everything that filter has.
func TestManifests(t *testing.T) {
	folder := copyTree(t)
	for _, overlay := range []string{"config/base", "config/overlays/test", "config/overlays/production"} {
		objects := render(t, filepath.Join(folder, overlay))
		compared := 0
		for name, text := range objects {
			kind, _, _ := strings.Cut(name, "/")
			if name != kind+"/filter-grpc-service" {
				continue
			}
			compared++
			want := strings.ReplaceAll(text, "filter", "invert")
			if got := objects[kind+"/invert-grpc-service"]; got != want {
				t.Errorf("%s: %s of invert:\n%s\nwant:\n%s", overlay, kind, got, want)
			}
		}
		if compared != 3 {
			t.Errorf("%s: %d objects of filter, want its Service, its account and its budget", overlay, compared)
		}
		if job, ok := objects["Job/minio-setup"]; ok && !strings.Contains(job, "name: minio-credentials-invert") {
			t.Errorf("%s: the setup job does not make the user of invert", overlay)
		}
	}
	for _, text := range render(t, filepath.Join(folder, "config/monitoring")) {
		if strings.Contains(text, "ImageFlowNotMeasured") && !strings.Contains(text, `step="invert"`) {
			t.Error("no alert finds that invert is not measured")
		}
	}
}

// render returns the objects of a kustomization as YAML, by "kind/name".
func render(t *testing.T, folder string) map[string]string {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]string{}
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		objects[r.GetKind()+"/"+r.GetName()] = string(text)
	}
	return objects
}

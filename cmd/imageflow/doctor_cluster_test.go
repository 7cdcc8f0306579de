package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// diagnose runs doctor on the cluster in testdata after change has edited the files.
func diagnose(t *testing.T, change func(t *testing.T, folder string)) (string, error) {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("testdata/cluster")); err != nil {
		t.Fatal(err)
	}
	change(t, folder)
	t.Setenv("CLUSTER", folder)
	kubectl, err := filepath.Abs("testdata/kubectl")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = doctor(t.Context(), []string{"--kubectl", kubectl}, &out)
	return out.String(), err
}

func TestDoctor_completeCluster(t *testing.T) {
	out, err := diagnose(t, func(*testing.T, string) {})
	if err != nil || strings.Count(out, "ok  ") != len(checks) || strings.Contains(out, "MISSING") {
		t.Errorf("got %v\n%s", err, out)
	}
}

// remove removes the file of an object, and so the object, from the cluster.
func remove(name string) func(*testing.T, string) {
	return func(t *testing.T, folder string) {
		if err := os.Remove(filepath.Join(folder, name+".json")); err != nil {
			t.Fatal(err)
		}
	}
}

// edit replaces a text in the file of an object, which must contain it.
func edit(name, before, after string) func(*testing.T, string) {
	return func(t *testing.T, folder string) {
		file := filepath.Join(folder, name+".json")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(text), before, after, 1)
		if changed == string(text) {
			t.Fatalf("%s has no %s", name, before)
		}
		if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// missingThings are changes to a complete cluster, and the text that doctor prints about each.
var missingThings = map[string]struct {
	change func(*testing.T, string)
	wants  []string
}{
	"Knative": {
		remove("get_crd_services.serving.knative.dev_brokers.eventing.knative.dev_triggers.eventing.knative.dev"),
		[]string{"MISSING  Knative", "install Knative"},
	},
	"a feature flag": {
		edit("get_configmap_config-features", `"enabled"`, `"disabled"`),
		[]string{"MISSING  feature flags", "kubernetes.podspec-nodeselector is not enabled", "kubectl patch configmap"},
	},
	"the namespace": {remove("get_namespace_image-processing"), []string{"MISSING  namespace", "make deploy"}},
	"a secret": {
		remove("get_secret_bridge-token"),
		[]string{"MISSING  secrets", "kubectl create secret generic -n image-processing bridge-token --from-literal=token=..."},
	},
	"a key of a secret": {
		edit("get_secret_minio-credentials", `"secret-key"`, `"other"`),
		[]string{"MISSING  secrets", "secret minio-credentials has no secret-key"},
	},
	"a GPU":            {edit("get_nodes", `": "1"`, `": "0"`), []string{"MISSING  GPU", "no node offers any"}},
	"a label of nodes": {edit("get_nodes", `"T4"`, `"A100"`), []string{"MISSING  GPU", "kubectl label node NAME gpu=T4"}},
	"a Service": {
		edit("get_services.serving.knative.dev", `"bridge"`, `"other"`),
		[]string{"MISSING  Services", "bridge does not exist"},
	},
	"a ready Service": {
		edit("get_services.serving.knative.dev", `"True"`, `"False"`),
		[]string{"MISSING  Services", "grpc-gateway: not ready"},
	},
	"the ingress": {
		edit("get_routes.serving.knative.dev_grpc-gateway", `"True"`, `"False"`),
		[]string{"MISSING  ingress", "class kourier.ingress.networking.knative.dev"},
	},
	"the broker": {
		edit("get_brokers.eventing.knative.dev_default", `"True"`, `"Unknown"`),
		[]string{"MISSING  broker", "class MTChannelBasedBroker: not ready"},
	},
	"Triggers": {
		func(t *testing.T, folder string) {
			file := filepath.Join(folder, "get_triggers.eventing.knative.dev.json")
			if err := os.WriteFile(file, []byte(`{"items": []}`), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		[]string{"MISSING  triggers", "no Trigger exists", "kubectl apply -f eventing"},
	},
	"the store": {remove("exec_pod-1_-imageflow_setup"), []string{"MISSING  store", "config/components/setup"}},
	"pods":      {remove("get_pods"), []string{"MISSING  store", "no pod of the bridge runs"}},
}

func TestDoctor_oneThingMissing(t *testing.T) {
	for name, c := range missingThings {
		t.Run(name, func(t *testing.T) {
			out, err := diagnose(t, c.change)
			if err == nil {
				t.Error("doctor succeeds")
			}
			for _, want := range c.wants {
				if !strings.Contains(out, want) {
					t.Errorf("doctor prints\n%swant %q", out, want)
				}
			}
		})
	}
}

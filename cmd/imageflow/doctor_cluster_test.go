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
	"a preset": {
		edit("get_configmap_presets-abc", "  thumb:", "  other:"), []string{"MISSING  presets", `there is no "thumb"`},
	},
	"a pipeline": {
		edit("get_configmap_presets-abc", "avatar:", "other:"),
		[]string{"MISSING  presets", "Trigger image-processing/avatar", `there is no "avatar"`, "kubectl edit trigger"},
	},
	"valid presets": {
		edit("get_configmap_presets-abc", "target_width", "target_widht"),
		[]string{"MISSING  presets", "file presets.yaml of configmap presets-abc: line 2", "configMapGenerator"},
	},
	"the file of presets": {remove("get_configmap_presets-abc"), []string{"MISSING  presets", "config/components/presets"}},
	"the same presets": {
		edit("get_services.serving.knative.dev", "presets-abc", "presets-old"),
		[]string{
			"MISSING  presets", "file presets.yaml of configmap presets-old: grpc-gateway\n",
			"presets-abc: resize-grpc-service, ai-detection-grpc-service, filter-grpc-service\n", "config/components/presets",
		},
	},
	"a name for a rendition": {
		edit("get_configmap_presets-abc", "tiny", "small"), []string{"MISSING  names", "Trigger image-processing/small"},
	},
	"notify": {
		edit("get_services.serving.knative.dev", `"notify"`, `"other"`),
		[]string{"MISSING  webhooks", "Trigger image-processing/shop: there is no Service notify", "config/components/webhooks"},
	},
	"a ready notify": {
		edit("get_services.serving.knative.dev",
			"\"reason\": \"Up\",\n            \"status\": \"True\"", `"reason": "Down", "status": "False"`),
		[]string{"MISSING  webhooks", "notify: Down", "kubectl describe pods"},
	},
	"a hook": {
		edit("get_triggers.eventing.knative.dev", "hook=shop", "hook=shoop"),
		[]string{"MISSING  webhooks", `there is no "shoop"; HOOK_URLS has shop`, "kubectl edit trigger", "kubectl create secret"},
	},
	"a secret of a hook": {
		edit("get_secret_webhooks", `"secrets"`, `"other"`),
		[]string{"MISSING  webhooks", "shop: has no secret", "kubectl create secret"},
	},
	"the secret of hooks": {remove("get_secret_webhooks"), []string{"MISSING  webhooks", "kubectl create secret"}},
	"the list of Triggers": {
		remove("get_configmap_triggers"), []string{"MISSING  chains", "GET /v1/chains answers nothing", "kubectl create configmap"},
	},
	"a listed Trigger": {
		edit("get_configmap_triggers", "name: small", "name: large"),
		[]string{
			"MISSING  chains", "small is not in the configmap triggers\n", "large is only in the configmap triggers\n",
			"kubectl create configmap",
		},
	},
	"the parameters of a listed Trigger": {
		edit("get_configmap_triggers", "target_width=320", "target_width=321"),
		[]string{"MISSING  chains", "small has another filter or subscriber"},
	},
	"the filter of a listed Trigger": {
		edit("get_configmap_triggers", "subject: avatars/", "subject: avatar/"),
		[]string{"MISSING  chains", "avatar has another filter or subscriber"},
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

package manifests_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestPresetsRollOut: the processors and the gateway mount the ConfigMap whose name ends in the hash of the
// file, so a change makes new revisions.
func TestPresetsRollOut(t *testing.T) {
	all, err := rendered()
	if err != nil {
		t.Fatal(err)
	}
	name := ""
	for _, o := range all["presets"] {
		if o.Kind == "ConfigMap" && strings.HasPrefix(o.Metadata.Name, "presets-") {
			name = o.Metadata.Name
		}
	}
	for _, s := range []string{"resize-grpc-service", "ai-detection-grpc-service", "filter-grpc-service", "grpc-gateway"} {
		mounted := ""
		for _, v := range service(t, find(t, "presets", "Service", s)).Spec.Template.Spec.Volumes {
			if v.ConfigMap != nil {
				mounted = v.ConfigMap.Name
			}
		}
		if name == "" || mounted != name {
			t.Errorf("%s mounts %q, the ConfigMap is %q", s, mounted, name)
		}
	}
}

// TestListChainsSeesTheTriggers: the folder that TRIGGERS_PATH of the gateway names has the Triggers of the render.
func TestListChainsSeesTheTriggers(t *testing.T) {
	all, err := rendered()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	names := map[string]bool{}
	for _, o := range all["base"] {
		switch {
		case o.Kind == "Trigger":
			names[o.Metadata.Name] = true
		case o.Kind == "ConfigMap" && o.Metadata.Name == "triggers":
			var c corev1.ConfigMap
			o.into(t, &c)
			for _, file := range c.Data {
				text.WriteString(file)
			}
		}
	}
	for name := range names {
		if !strings.Contains(text.String(), "  name: "+name+"\n") {
			t.Errorf("the ConfigMap lacks the Trigger %s", name)
		}
	}
	spec := service(t, find(t, "base", "Service", "grpc-gateway")).Spec.Template.Spec
	for _, v := range spec.Containers[0].Env {
		if v.Name == "TRIGGERS_PATH" && spec.Containers[0].VolumeMounts[0].MountPath == v.Value &&
			spec.Volumes[0].ConfigMap.Name == "triggers" && *spec.Volumes[0].ConfigMap.Optional && len(names) > 0 {
			return
		}
	}
	t.Error("the gateway does not mount the ConfigMap at TRIGGERS_PATH")
}

package manifests_test

import (
	"strings"
	"testing"
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

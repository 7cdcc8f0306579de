package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeKubectl prints the Triggers and the broker's channel of a cluster, and of
// everything else nothing.
func fakeKubectl(t *testing.T, triggers, channel string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubectl")
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *triggers*) cat <<'END'\n%s\nEND\n;; *inmemorychannels*) echo '%s' ;; *) echo '{\"items\": []}' ;; esac\n", triggers, channel)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

const twoSizes = `{"items": [
  {"metadata": {"name": "size-320", "namespace": "image-processing"}, "spec": {"broker": "default",
   "subscriber": {"ref": {"kind": "Service", "name": "resize-grpc-service"}, "uri": "/?target_width=320"}}},
  {"metadata": {"name": "size-640", "namespace": "image-processing"}, "spec": {"broker": "default",
   "filters": [{"prefix": {"type": "com.amazonaws.s3.ObjectCreated:"}}, %s],
   "subscriber": {"ref": {"kind": "Service", "name": "resize-grpc-service"}, "uri": "/?target_width=640"}}}]}`

// TestDoctorNamesTriggersThatClash on a cluster.
func TestDoctorNamesTriggersThatClash(t *testing.T) {
	for filter, clash := range map[string]bool{`{"prefix": {"subject": "in/"}}`: true, `{"exact": {"type": "other"}}`: false} {
		var out strings.Builder
		_ = doctor(t.Context(), []string{"--kubectl", fakeKubectl(t, fmt.Sprintf(twoSizes, filter), `{}`)}, &out)
		line := "ok       names"
		if clash {
			line = "MISSING  names"
		}
		if !strings.Contains(out.String(), line) || strings.Contains(out.String(), "image-processing/size-640") != clash {
			t.Errorf("%s: doctor prints\n%s", filter, out.String())
		}
	}
}

// TestDoctorFindsSubscribersOfBefore that Knative left in the broker's channel.
func TestDoctorFindsSubscribersOfBefore(t *testing.T) {
	triggers := `{"items": [{"metadata": {"name": "one"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}]}`
	for channel, line := range map[string]string{
		`{"spec": {"subscribers": [{"name": "one-1"}, {"name": "two-1"}]}}`: "ok       triggers",
		`{"spec": {"subscribers": [{"name": "one-1"}, {"name": "one-1"}]}}`: "MISSING  triggers",
	} {
		var out strings.Builder
		_ = doctor(t.Context(), []string{"--kubectl", fakeKubectl(t, triggers, channel)}, &out)
		if !strings.Contains(out.String(), line) {
			t.Errorf("%s: doctor prints\n%s", channel, out.String())
		}
	}
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeKubectl returns a kubectl that prints the given Triggers and the broker's
// channel, and an empty list for everything else.
func fakeKubectl(t *testing.T, triggers, channel string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubectl")
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *triggers*) cat <<'END'\n%s\nEND\n;;"+
		" *inmemorychannels*) echo '%s' ;; *) echo '{\"items\": []}' ;; esac\n", triggers, channel)
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

func TestDoctor_triggersWithTheSameOutput(t *testing.T) {
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

// TestDoctor_duplicateSubscribers finds the subscribers that Knative leaves in the
// broker's channel when OIDC is switched.
func TestDoctor_duplicateSubscribers(t *testing.T) {
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

// TestDoctor_unreachableCluster counts only the checks that were made.
func TestDoctor_unreachableCluster(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubectl")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho 'connection refused' >&2\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := doctor(t.Context(), []string{"--kubectl", path}, &out)
	if err == nil || err.Error() != "1 of 1 checks failed" {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{
		"MISSING  cluster        connection refused", "fix:           select a cluster", "skipped  15 checks",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("doctor prints\n%swant %q", out.String(), want)
		}
	}
}

// TestDoctor_formats: doctor prints what a pod of resize says, and a missing codec is no fault.
func TestDoctor_formats(t *testing.T) {
	out, err := diagnose(t, func(*testing.T, string) {})
	want := "ok       formats        reads avif, jpeg\n" +
		"                        writes jpeg\n                        heic lacks a decoder\n"
	if err != nil || !strings.Contains(out, want) {
		t.Errorf("got %v, doctor prints\n%swant\n%s", err, out, want)
	}
	var withoutPods strings.Builder
	_ = doctor(t.Context(), []string{"--kubectl", fakeKubectl(t, `{"items": []}`, `{}`)}, &withoutPods)
	if want := "ok       formats        not known, since no pod of resize runs"; !strings.Contains(withoutPods.String(), want) {
		t.Errorf("doctor prints\n%swant\n%s", withoutPods.String(), want)
	}
}

// TestPrintFormats: a build names at least the formats without which it does not start.
func TestPrintFormats(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"formats"}, &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, formats := range []string{"bmp gif jpeg png tiff webp", "jpeg png tiff webp"} {
		for _, f := range strings.Fields(formats) {
			if !strings.Contains(lines[i]+",", " "+f+",") {
				t.Errorf("no %s in %q", f, lines[i])
			}
		}
	}
}

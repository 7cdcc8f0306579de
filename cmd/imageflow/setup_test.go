package main

import (
	"strings"
	"testing"

	"imageflow.dev/internal/testing/minio"
	"imageflow.dev/internal/testing/stores"
)

// TestSetup_withoutWebhook uses a MinIO that has no webhook for the bridge.
func TestSetup_withoutWebhook(t *testing.T) {
	server := minio.Start(t)
	for name, value := range map[string]string{
		"MINIO_ENDPOINT": server.Address, "MINIO_ACCESS_KEY": minio.AccessKey, "MINIO_SECRET_KEY": minio.SecretKey,
	} {
		t.Setenv(name, value)
	}
	var out strings.Builder
	err := run(t.Context(), []string{"setup", "--check"}, &out)
	for _, want := range []string{"imageflow-files", "imageflow-dead-letters", "run imageflow setup"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("before the setup: %v, want it to name %s", err, want)
		}
	}
	err = run(t.Context(), []string{"setup", "--wait", "2s"}, &out)
	if err == nil || !strings.Contains(out.String(), "created bucket imageflow-files") {
		t.Errorf("a store without the webhook: %q, %v", out.String(), err)
	}
	err = run(t.Context(), []string{"setup", "--check"}, &out)
	if err == nil || !strings.Contains(err.Error(), "arn:minio:sqs::IMAGEFLOW:webhook") ||
		strings.Contains(err.Error(), "bucket imageflow-dead-letters") {
		t.Errorf("with the buckets only: %v", err)
	}
}

// TestSetup_plainStore uses a store without notifications, tags and conditional writes.
func TestSetup_plainStore(t *testing.T) {
	config, _ := stores.Start(t, stores.Plain)
	for name, value := range map[string]string{
		"MINIO_ENDPOINT": config.Endpoint, "MINIO_ACCESS_KEY": config.AccessKey, "MINIO_SECRET_KEY": config.SecretKey,
	} {
		t.Setenv(name, value)
	}
	for _, step := range []struct{ variable, want string }{ // each adds a setting to those before
		{"", "STORE_NOTIFICATIONS=false"},
		{"STORE_NOTIFICATIONS", ""},
		{"", "STORE_CONDITIONAL_WRITES=false"},
		{"STORE_CONDITIONAL_WRITES", "STORE_TAGS=false"},
		{"STORE_TAGS", ""},
	} {
		args := []string{"setup", "--check"}
		if step.want == "STORE_NOTIFICATIONS=false" || step.variable == "STORE_NOTIFICATIONS" {
			args = []string{"setup"}
		}
		if step.variable != "" {
			t.Setenv(step.variable, "false")
		}
		var out strings.Builder
		err := run(t.Context(), args, &out)
		if step.want == "" && err != nil || step.want != "" && (err == nil || !strings.Contains(err.Error(), step.want)) {
			t.Errorf("%q, %s set: %v, want %q", args, step.variable, err, step.want)
		}
		if step.want == "" && !strings.Contains(out.String(), "SWEEP_SHARE=1") {
			t.Errorf("printed %q", out.String())
		}
	}
}

package main

import (
	"strings"
	"testing"

	"imageflow.dev/internal/testing/minio"
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

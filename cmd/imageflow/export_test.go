package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/testing/stores"
)

func TestExportFlags(t *testing.T) {
	for args, wrong := range map[string]string{
		"":                                      `--format is "" but must be one of coco, yolo, yolo-classify, voc, jsonl`,
		"--format csv":                          `"csv"`,
		"--format coco extra":                   `"extra"`,
		"--format coco --split 80":              "80:20",
		"--format coco --min-confidence 1.5":    "--min-confidence",
		"--format coco --min-confidence NaN":    "--min-confidence",
		"--format coco --prefix uploads/":       "",
		"--format yolo --out x --split 80:20":   "",
		"--format jsonl --classes cat,dog":      "",
		"--format voc --images --model yolo/1":  "",
		"--format coco --min-confidence 0.3000": "",
	} {
		_, err := parseExport(strings.Fields(args), io.Discard, &role.StoreConfig{})
		if (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: got %v, want an error with %q", args, err, wrong)
		}
	}
}

// TestExport: the command exports what it can, and fails if a side-car cannot be read.
func TestExport(t *testing.T) {
	c, store := stores.Start(t, stores.Local, "images")
	for name, value := range map[string]string{
		"MINIO_ENDPOINT": c.Endpoint, "MINIO_ACCESS_KEY": c.AccessKey, "MINIO_SECRET_KEY": c.SecretKey, "MINIO_BUCKET": "images",
	} {
		t.Setenv(name, value)
	}
	put := func(key, text string) {
		if _, err := store.Put(t.Context(), "images", key, "application/json", []byte(text), nil); err != nil {
			t.Fatal(err)
		}
	}
	put("a_ai-detection.json",
		`{"result": {"metadata": {"source_key": "a.jpg"}}, "metadata": {"image_width": 5, "image_height": 6}}`)
	var out bytes.Buffer
	err := run(t.Context(), []string{"export", "--format", "jsonl"}, &out)
	if err != nil || !strings.Contains(out.String(), `"image":"a.jpg"`) {
		t.Errorf("%v, %s", err, &out)
	}
	put("b_ai-detection.json", "no JSON")
	out.Reset()
	err = run(t.Context(), []string{"export", "--format", "jsonl"}, &out)
	if err == nil || !strings.Contains(err.Error(), "1 of 2 side-cars") || !strings.Contains(out.String(), `"image":"a.jpg"`) {
		t.Errorf("%v, %s", err, &out)
	}
}

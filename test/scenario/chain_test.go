package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
)

// checkSideCars checks the side-cars of an image of 1200×1200 pixels.
func (s *system) checkSideCars(t *testing.T, execution string) {
	t.Helper()
	var resized struct {
		OriginalWidth int     `json:"original_width"`
		OutputWidth   int     `json:"output_width"`
		ScaleX        float64 `json:"scale_factor_x"`
	}
	if err := json.Unmarshal(s.get(t, execution+"_resize.json"), &resized); err != nil {
		t.Fatal(err)
	}
	if resized.OriginalWidth != 1200 || resized.OutputWidth != 600 || resized.ScaleX != 0.5 {
		t.Errorf("resize side-car: %+v", resized)
	}
	var found struct {
		Result   struct{ Status string }
		Metadata struct {
			Model string `json:"model_name"`
		}
	}
	if err := json.Unmarshal(s.get(t, execution+"_ai-detection.json"), &found); err != nil {
		t.Fatal(err)
	}
	if found.Metadata.Model != "yolo" || found.Result.Status != "PROCESSING_STATUS_COMPLETED" {
		t.Errorf("detection side-car: %+v", found)
	}
}

// TestUploadBecomesThreeOutputs: an upload is resized, its objects are detected, and it is
// filtered.
func TestUploadBecomesThreeOutputs(t *testing.T) {
	s := local(t, setup{})
	for _, c := range []struct {
		key, contentType, execution, extension string
		data                                   []byte
	}{
		{"uploads/cat.jpg", "image/jpeg", "uploads/cat", "jpg", jpegOf(t, 1200, 1200)},
		{"Ferien 2026/Straße & Meer/日本 +1.png", "image/png", "Ferien 2026/Straße & Meer/日本 +1.png", "png", pngOf(t, 1200, 1200)},
	} {
		t.Run(c.key, func(t *testing.T) {
			s.put(t, c.key, c.contentType, c.data)
			eventually(t, "the tag of a completed chain", func() bool { return s.tag(t, c.key) == "completed" })
			for _, step := range []string{"resize", "ai-detection", "filter"} {
				if got := s.size(t, c.execution+"_"+step+"."+c.extension); got != image.Pt(600, 600) {
					t.Errorf("%s is %v, want 600×600", step, got)
				}
			}
			s.checkSideCars(t, c.execution)
		})
	}
	t.Run("nothing else was written", func(t *testing.T) {
		if got := s.keys(t, ""); len(got) != 2*6 {
			t.Errorf("keys: %q", got)
		}
	})
}

// TestUploadsOfNewFormats: the outputs of an AVIF and of a JPEG XL have the same format, which each step
// reads from the one before; those of a HEIC are JPEGs.
func TestUploadsOfNewFormats(t *testing.T) {
	s := local(t, setup{})
	for file, output := range map[string]struct{ extension, begin string }{
		"heif/420.avif": {".avif", "ftypavif"}, "heif/alpha-10.avif": {".avif", "ftypavif"},
		"heif/8.heic": {".jpg", "\xff\xd8\xff"}, "jxl/p3-lossless.jxl": {".jxl", "\xff\x0a"},
	} {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("..", "..", "internal", "imaging", "testdata", filepath.FromSlash(file)))
			if err != nil {
				t.Fatal(err)
			}
			s.put(t, name, "application/octet-stream", data)
			eventually(t, "the tag of a completed chain", func() bool { return s.tag(t, name) == "completed" })
			for _, step := range []string{"resize", "ai-detection", "filter"} {
				got := s.get(t, name+"_"+step+output.extension)
				if begin := got[:min(32, len(got))]; !bytes.Contains(begin, []byte(output.begin)) {
					t.Errorf("%s begins with %q", step, begin)
				}
			}
		})
	}
}

// TestDataSurvivesRestart: after Ctrl-C and a new start in the same folder, all objects are there.
func TestDataSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	s := local(t, setup{dir: dir})
	s.put(t, "a.jpg", "image/jpeg", jpegOf(t, 900, 900))
	eventually(t, "the output", func() bool { return s.tag(t, "a.jpg") == "completed" })
	before := s.get(t, "a_filter.jpg")
	if err := s.stop(t); err != nil {
		t.Fatalf("Ctrl-C: %v", err)
	}
	s = local(t, setup{dir: dir})
	if string(s.get(t, "a_filter.jpg")) != string(before) {
		t.Error("the output changed over the restart")
	}
	s.put(t, "b.jpg", "image/jpeg", jpegOf(t, 900, 900))
	eventually(t, "the next output", func() bool { return s.exists("b_filter.jpg") })
}

// TestNonImageFails: an upload that is not an image gets the status failed and a dead letter.
func TestNonImageFails(t *testing.T) {
	s := local(t, setup{})
	s.put(t, "notes.jpg", "image/jpeg", []byte("dear diary"))
	eventually(t, "the tag of a failed chain", func() bool { return s.tag(t, "notes.jpg") == "failed" })
	letters := s.deadLetterKeys(t)
	if len(letters) != 1 || !strings.HasSuffix(letters[0], ".json") {
		t.Errorf("dead letters: %q", letters)
	}
	if s.exists("notes_resize.jpg") {
		t.Error("an output was written")
	}
}

// tag returns the outcome that the bridge wrote on an object.
func (s *system) tag(t testing.TB, key string) string {
	t.Helper()
	tags, err := s.s3.GetObjectTagging(context.Background(), bucket, key, minio.GetObjectTaggingOptions{})
	if err != nil {
		return ""
	}
	return tags.ToMap()["imageflow-status"]
}

package dataset_test

import (
	"bytes"
	"image"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/internal/dataset"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// names are the classes of classification: two have one name, and others are no names of folders.
var names = []string{"crane", "Crane", "../up", "a/b", "cat"}

// classification returns a response of detect with these classes, by a model that classifies images.
func classification(key string, classes ...int32) *imageflowv1.DetectionResponse {
	r := detection(key)
	for n, c := range classes {
		r.Classifications = append(r.Classifications, &imageflowv1.Classification{
			ClassName: names[c], ClassId: c, Confidence: 0.5 / float32(n+1),
		})
	}
	return r
}

// putImage writes the image of side-cars.
func putImage(t *testing.T, store *objects.Store, keys ...string) {
	t.Helper()
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 640, 480))); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if _, err := store.Put(t.Context(), bucket, key, "image/png", file.Bytes(), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// files returns the files and empty folders of a dataset, without its description.
func (r result) files(t *testing.T) (all []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(r.out), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "imageflow-export.json" {
			return err
		}
		entries, _ := os.ReadDir(filepath.Join(r.out, path))
		switch {
		case !d.IsDir():
			all = append(all, path)
		case len(entries) == 0:
			all = append(all, path+"/")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestClasses_areFolders: each image is in the folder of its most probable class, and both parts have the folders
// of all classes.
func TestClasses_areFolders(t *testing.T) {
	store := local(t,
		classification("a.png", 4, 0), classification("b/a.png", 0, 4), classification("c.png", 1), classification("d.png", 2),
		classification("e.png", 3), classification("none.png"), classification("text.txt", 4))
	putImage(t, store, "a.png", "b/a.png", "c.png", "d.png", "e.png", "none.png", "text.txt")
	o := dataset.Options{Format: "yolo-classify", Out: filepath.Join(t.TempDir(), "out")}
	r := export(t, store, o)
	if r.err != nil || r.Images != 5 || r.Unclassified != 1 || r.Failed != 1 || !strings.Contains(r.failed[0], "no extension") {
		t.Fatalf("%+v", r)
	}
	want := []string{
		"train/Crane_1/c.png", "train/cat/a.png", "train/class_2/d.png", "train/class_3/e.png", "train/crane/b/a.png",
	}
	if got := r.files(t); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	o.Selection = dataset.Selection{Classes: []string{"cat", "0"}, Split: dataset.Split{Train: 1, Val: 65535}}
	o.Overwrite = true
	r = export(t, store, o)
	want = []string{"train/cat/", "train/crane/", "val/cat/a.png", "val/crane/b/a.png"}
	if got := r.files(t); r.err != nil || r.Unclassified != 4 || !slices.Equal(got, want) {
		t.Errorf("%+v, got %q, want %q", r, got, want)
	}
}

func TestClasses_inJSONLines(t *testing.T) {
	store := local(t, classification("a.png", 4, 0))
	r := export(t, store, dataset.Options{Format: "jsonl", Selection: dataset.Selection{MinConfidence: 0.2}})
	want := `"boxes":[],"classifications":[{"class_id":4,"class_name":"cat","confidence":0.5},` +
		`{"class_id":0,"class_name":"crane","confidence":0.25}]}`
	if !strings.Contains(r.stream, want) {
		t.Errorf("got %s, want %s", r.stream, want)
	}
}

// TestClasses_haveNoOtherForm: formats of objects would have images without any, and the other way round.
func TestClasses_haveNoOtherForm(t *testing.T) {
	for format, want := range map[string]string{
		"coco": "no form for: export as yolo-classify", "yolo": "no form for: export as yolo-classify",
		"voc": "no form for: export as yolo-classify", "yolo-classify": "finds objects",
	} {
		t.Run(format, func(t *testing.T) {
			sideCar := classification("a.png", 4)
			if format == "yolo-classify" {
				sideCar = detection("a.png", found(0, 0.5, 1, 1, 9, 9))
			}
			store := local(t, sideCar)
			putImage(t, store, "a.png")
			r := export(t, store, dataset.Options{Format: format, Out: filepath.Join(t.TempDir(), "out")})
			if r.err == nil || !strings.Contains(r.err.Error(), want) {
				t.Errorf("got %v, want %s", r.err, want)
			}
		})
	}
}

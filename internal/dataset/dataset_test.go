package dataset_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/internal/dataset"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestCOCO also reads stores that list metadata and those that do not.
func TestCOCO(t *testing.T) {
	stores.Each(t, []string{bucket}, func(t *testing.T, _ stores.Kind, store *objects.Store) {
		put(t, store, detection("in/a.jpg", found(2, 0.5, 10, 20, 40, 60), found(0, 0.25, -5, 470, 650, 490)))
		put(t, store, detection("in/b.png"))
		put(t, store, detection("other/c.jpg", found(0, 1, 1, 1, 2, 2)))
		resized := execution.ObjectMetadata("in/a", bucket, "in/a_resize.json")
		resized[execution.StepMetadata] = "resize"
		if _, err := store.Put(t.Context(), bucket, "in/a_resize.json", "application/json", []byte("{}"), resized); err != nil {
			t.Fatal(err)
		}
		r := export(t, store, dataset.Options{Format: "coco", Prefix: "in/"})
		if r.err != nil || len(r.failed) > 0 || r.Images != 2 || r.Boxes != 2 {
			t.Fatalf("%+v", r)
		}
		wantText(t, "COCO", r.stream, `{"info": {"description": "detections exported by ImageFlow"}, "images": [
{"id":1,"file_name":"in/a.jpg","width":640,"height":480},
{"id":2,"file_name":"in/b.png","width":640,"height":480}
], "annotations": [
{"id":1,"image_id":1,"category_id":3,"bbox":[10,20,30,40],"area":1200,"iscrowd":0,"score":0.5},
{"id":2,"image_id":1,"category_id":1,"bbox":[0,470,640,10],"area":6400,"iscrowd":0,"score":0.25}
], "categories": [{"id":1,"name":"dog"},{"id":3,"name":"cat"}]}`)
		if !json.Valid([]byte(r.stream)) {
			t.Error("no JSON")
		}
	})
}

func TestCOCO_withoutImagesIsValid(t *testing.T) {
	r := export(t, local(t), dataset.Options{Format: "coco"})
	if r.err != nil || !json.Valid([]byte(r.stream)) {
		t.Errorf("%v: %s", r.err, r.stream)
	}
}

// TestYOLO has a key with a folder "images", where readers look for its label beside it.
func TestYOLO(t *testing.T) {
	store := local(t,
		detection("in/a.jpg", found(2, 0.5, 160, 120, 480, 360)), detection("in/b.png"),
		detection("x/images/c.jpg", found(0, 0.5, 0, 0, 640, 480)))
	r := inFolder(t, store, dataset.Options{Format: "yolo"})
	wantText(t, "data.yaml", r.read(t, "data.yaml"),
		"train: train.txt\nval: train.txt\nnames:\n  0: \"dog\"\n  1: \"class_1\"\n  2: \"cat\"")
	wantText(t, "train.txt", r.read(t, "train.txt"), "./images/in/a.jpg\n./images/in/b.png\n./images/x/images/c.jpg")
	wantText(t, "a label", r.read(t, "labels/in/a.txt"), "2 0.500000000 0.500000000 0.500000000 0.500000000")
	wantText(t, "a label without objects", r.read(t, "labels/in/b.txt"), "")
	wantText(t, "the other label", r.read(t, "images/x/labels/c.txt"), "0 0.500000000 0.500000000 1.000000000 1.000000000")
}

func TestVOC(t *testing.T) {
	store := local(t, detection("in/a.jpg", found(2, 0.5, 9.6, 0, 640, 0.2)))
	r := inFolder(t, store, dataset.Options{Format: "voc"})
	wantText(t, "the list", r.read(t, "ImageSets/Main/train.txt"), "in/a")
	text := strings.NewReplacer("\n", "", "\t", "").Replace(r.read(t, "Annotations/in/a.xml"))
	wantText(t, "the XML", text, "<annotation><folder>JPEGImages</folder><filename>in/a.jpg</filename>"+
		"<size><width>640</width><height>480</height><depth>3</depth></size>"+
		"<object><name>cat</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>"+
		"<bndbox><xmin>11</xmin><ymin>1</ymin><xmax>640</xmax><ymax>1</ymax></bndbox></object></annotation>")
}

func TestJSONLines(t *testing.T) {
	store := local(t, detection("in/a.jpg", found(2, 0.5, 10, 20, 40, 60)), detection("in/b.png"))
	r := export(t, store, dataset.Options{Format: "jsonl"})
	wantText(t, "the lines", r.stream, ""+
		`{"image":"in/a.jpg","bucket":"images","width":640,"height":480,"split":"train","model":"yolo",`+
		`"model_version":"1","side_car":"in/a_ai-detection.json","boxes":[{"class_id":2,"class_name":"cat","confidence":0.5,`+
		`"x1":10,"y1":20,"x2":40,"y2":60}]}
{"image":"in/b.png","bucket":"images","width":640,"height":480,"split":"train","model":"yolo",`+
		`"model_version":"1","side_car":"in/b.png_ai-detection.json","boxes":[]}`)
}

// TestOriginal: boxes in pixels of the original are exported with the original's name and size.
func TestOriginal(t *testing.T) {
	step := detection("in/a_resize.jpg", found(2, 0.5, 10, 20, 2000, 60))
	step.Metadata.OriginalFromImage = &imageflowv1.AffineMap{Xx: 2, Yy: 2}
	step.Metadata.OriginalWidth, step.Metadata.OriginalHeight = 1280, 960
	store := local(t)
	for name, metadata := range map[string]map[string]string{
		"a chain":                      {"execution_id": "in/a"},
		"a call":                       {"execution_id": "in/a_resize", "reference_execution_id": "in/a"},
		"a call of an earlier version": {"execution_id": "in/a_resize"},
	} {
		maps.Copy(metadata, map[string]string{"source_bucket": bucket, "source_key": "in/a_resize.jpg"})
		step.Result.Metadata = metadata
		key := metadata["execution_id"] + "_ai-detection.json"
		put(t, store, step)
		r := export(t, store, dataset.Options{Format: "coco"})
		if err := store.Remove(t.Context(), bucket, key); err != nil {
			t.Fatal(err)
		}
		if name == "a call of an earlier version" {
			if r.Failed != 1 || !strings.Contains(r.failed[0], "does not name the original") {
				t.Errorf("%s: %+v", name, r)
			}
			continue
		}
		for _, want := range []string{`"file_name":"in/a.jpg","width":1280,"height":960`, `"bbox":[10,20,1270,40]`} {
			if !strings.Contains(r.stream, want) {
				t.Errorf("%s: got %s %q, want %s", name, r.stream, r.failed, want)
			}
		}
	}
}

// TestFailed: a side-car that cannot be exported is reported, and the others are exported.
func TestFailed(t *testing.T) {
	withoutSize := detection("size.jpg")
	withoutSize.Metadata.ImageWidth = 0
	store := local(t, detection("a.jpg"), detection("z.jpg"), withoutSize,
		detection("box.jpg", found(0, 1, 5, 5, 1, 6)), detection("class.jpg", found(1, 1, 5, 5, 6, 6)))
	for i, key := range []string{"../up.jpg", "/root.jpg", "a/../../b.jpg", "line\nfeed.jpg", "a//b.jpg", ".."} {
		r := detection(key)
		r.Result.Metadata["execution_id"] = fmt.Sprint("key", i)
		put(t, store, r)
	}
	putText(t, store, "text_ai-detection.json", "no JSON")
	putText(t, store, "other_ai-detection.json", `{"width": 5}`)
	for _, format := range []string{"coco", "yolo", "voc", "jsonl"} {
		r := export(t, store, dataset.Options{Format: format, Out: filepath.Join(t.TempDir(), "out")})
		if r.err != nil || r.Failed != 11 || r.Images != 2 || len(r.failed) != 11 {
			t.Errorf("%s: %+v", format, r)
		}
	}
}

func TestSameLabelFile(t *testing.T) {
	store := local(t, detection("a.jpg"), detection("a.png"), detection("b"))
	r := export(t, store, dataset.Options{Format: "yolo", Out: filepath.Join(t.TempDir(), "out")})
	if r.Images != 1 || r.Failed != 2 || !strings.Contains(strings.Join(r.failed, "\n"), "another --prefix") ||
		!strings.Contains(strings.Join(r.failed, "\n"), "has no extension that YOLO reads") {
		t.Errorf("%+v", r)
	}
	wantText(t, "train.txt", r.read(t, "train.txt"), "./images/a.png") // comes first
}

func TestOutsideBoxes(t *testing.T) {
	store := local(t, detection("a.jpg", found(0, 1, 640, 0, 700, 10), found(0, 1, 1, 1, 2, 2)))
	r := export(t, store, dataset.Options{Format: "jsonl"})
	if r.Boxes != 1 || r.OutsideBoxes != 1 {
		t.Errorf("%+v", r)
	}
}

// TestFrames: readers of images see the first frame of an animation; only JSON lines have the others.
func TestFrames(t *testing.T) {
	later := found(2, 1, 1, 1, 2, 2)
	later.Frame = 5
	store := local(t, detection("a.webp", found(0, 1, 1, 1, 2, 2), later))
	for _, c := range []struct {
		format       string
		boxes, later int
	}{{"coco", 1, 1}, {"jsonl", 2, 0}} {
		if r := export(t, store, dataset.Options{Format: c.format}); r.Boxes != c.boxes || r.LaterBoxes != c.later {
			t.Errorf("%s: %+v", c.format, r)
		}
	}
}

// TestImages: copies are the bytes of the bucket, and an image that does not fit its side-car is
// reported.
func TestImages(t *testing.T) {
	store := local(t, detection("a.png", found(0, 1, 1, 1, 2, 2)), detection("none.png"), detection("text.png"))
	wrong := detection("wrong.png")
	wrong.Metadata.ImageWidth = 480
	put(t, store, wrong)
	replaced := detection("replaced.png")
	replaced.Result.Metadata["source_etag"] = "0123"
	put(t, store, replaced)
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 640, 480))); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a.png", "wrong.png", "replaced.png"} {
		if _, err := store.Put(t.Context(), bucket, key, "image/png", file.Bytes(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Put(t.Context(), bucket, "text.png", "image/png", []byte("text"), nil); err != nil {
		t.Fatal(err)
	}
	for format, folder := range map[string]string{"yolo": "images", "voc": "JPEGImages", "coco": "images"} {
		r := export(t, store, dataset.Options{Format: format, Images: true, Out: filepath.Join(t.TempDir(), "out")})
		if r.err != nil || r.Images != 1 || r.Failed != 4 {
			t.Fatalf("%s: %+v", format, r)
		}
		if r.read(t, folder+"/a.png") != file.String() {
			t.Error("the copy differs")
		}
		names, err := os.ReadDir(filepath.Join(r.out, folder))
		if err != nil || len(names) != 1 {
			t.Errorf("%v, %v, want one image", names, err)
		}
	}
}

func TestFolder(t *testing.T) {
	store := local(t, detection("a.jpg"))
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, overwrite := range []bool{false, true} {
		r := export(t, store, dataset.Options{Format: "coco", Out: foreign, Overwrite: overwrite})
		if r.err == nil || !strings.Contains(r.err.Error(), "not empty") {
			t.Errorf("overwrite=%v: %v, want a refusal", overwrite, r.err)
		}
	}
	first := inFolder(t, store, dataset.Options{Format: "yolo"})
	again := export(t, store, dataset.Options{Format: "coco", Out: first.out})
	if again.err == nil || !strings.Contains(again.err.Error(), "--overwrite") {
		t.Errorf("%v, want a refusal that names --overwrite", again.err)
	}
	other := detection("b.jpg")
	other.Metadata.ModelVersion = "2"
	put(t, store, other)
	if bad := export(t, store, dataset.Options{Format: "coco", Out: first.out, Overwrite: true}); bad.err == nil {
		t.Error("two models are exported")
	}
	first.read(t, "data.yaml") // unchanged
	r := export(t, store, dataset.Options{
		Format: "coco", Out: first.out, Overwrite: true, Selection: dataset.Selection{Model: "yolo"},
	})
	entries, err := os.ReadDir(first.out)
	if r.err != nil || err != nil || len(entries) != 2 {
		t.Errorf("%v, %v, %v: want annotations.json and the description", r.err, err, entries)
	}
	if left, _ := os.ReadDir(filepath.Dir(first.out)); len(left) != 1 {
		t.Errorf("temporary folders are left: %v", left)
	}
}

// TestOrder: side-cars are fetched in parallel and exported in the order of their keys.
func TestOrder(t *testing.T) {
	var all []*imageflowv1.DetectionResponse
	for n := range 50 {
		all = append(all, detection(fmt.Sprintf("%02d.jpg", n)))
	}
	r := export(t, local(t, all...), dataset.Options{Format: "jsonl"})
	lines := strings.Split(strings.TrimSpace(r.stream), "\n")
	if len(lines) != 50 || !slices.IsSorted(lines) {
		t.Errorf("%d lines, sorted %v", len(lines), slices.IsSorted(lines))
	}
}

func TestUnavailableStore(t *testing.T) {
	store := local(t)
	r := export(t, store, dataset.Options{Format: "jsonl"})
	if r.err != nil || r.stream != "" {
		t.Errorf("an empty bucket gives %v %q", r.err, r.stream)
	}
	gone, err := objects.New(objects.Config{Endpoint: "127.0.0.1:1", AccessKey: "a", SecretKey: "b", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	r = export(t, gone, dataset.Options{Format: "yolo", Out: out})
	if _, err := os.Stat(out); r.err == nil || err == nil {
		t.Errorf("got %v, and a folder: %v", r.err, err == nil)
	}
}

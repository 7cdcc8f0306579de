package dataset_test

import (
	"fmt"
	"strings"
	"testing"

	"imageflow.dev/internal/dataset"
)

func TestSelection(t *testing.T) {
	store := local(t, detection("a.jpg", found(0, 0.7, 0, 0, 1, 1), found(2, 0.3, 0, 0, 2, 2), found(2, 0.9, 0, 0, 3, 3)))
	for _, c := range []struct {
		selection dataset.Selection
		boxes     int
	}{
		{dataset.Selection{}, 3},
		{dataset.Selection{Classes: []string{"cat"}}, 2},
		{dataset.Selection{Classes: []string{"0"}}, 1},
		{dataset.Selection{Classes: []string{"bird"}}, 0},
		{dataset.Selection{MinConfidence: 0.7}, 2},
		{dataset.Selection{MinConfidence: 0.7, Classes: []string{"cat", "dog"}}, 2},
		{dataset.Selection{MinConfidence: 1}, 0},
	} {
		if r := export(t, store, dataset.Options{Format: "jsonl", Selection: c.selection}); r.Boxes != c.boxes || r.Images != 1 {
			t.Errorf("%+v: %d boxes of %d images, %v, want %d of 1", c.selection, r.Boxes, r.Images, r.err, c.boxes)
		}
	}
}

// TestModels: two models or versions are an error that names them, unless one is chosen.
func TestModels(t *testing.T) {
	b, c := detection("b.jpg"), detection("c.jpg")
	b.Metadata.ModelVersion, c.Metadata.ModelName = "2", "faces"
	store := local(t, detection("a.jpg"), b, c)
	for _, x := range []struct {
		prefix, model string
		images        int
		err           string // part
	}{
		{"", "", 0, "choose with --model yolo/1 or --model yolo/2"},
		{"", "yolo", 2, ""},
		{"", "yolo/2", 1, ""},
		{"", "faces", 1, ""},
		{"", "none", 0, ""},
		{"c", "", 1, ""},
	} {
		r := export(t, store, dataset.Options{Format: "jsonl", Prefix: x.prefix, Selection: dataset.Selection{Model: x.model}})
		switch {
		case x.err != "":
			if r.err == nil || !strings.Contains(r.err.Error(), x.err) {
				t.Errorf("got %v, want %s", r.err, x.err)
			}
		case r.err != nil || r.Images != x.images || x.model != "" && r.OtherModels != 3-x.images:
			t.Errorf("%+v: %+v", x, r)
		}
	}
}

func TestClassesOfTwoModels(t *testing.T) {
	other := found(2, 1, 0, 0, 1, 1)
	other.ClassName = "car"
	store := local(t, detection("a.jpg", found(2, 1, 0, 0, 1, 1)), detection("b.jpg", other))
	r := export(t, store, dataset.Options{Format: "jsonl", Selection: dataset.Selection{Model: "yolo"}})
	if r.err == nil || !strings.Contains(r.err.Error(), `class 2 is "car", but "cat"`) {
		t.Errorf("got %v", r.err)
	}
}

// TestSplit: the parts have about the ratio, and an image stays in its part when others come.
func TestSplit(t *testing.T) {
	store := local(t)
	options := dataset.Options{Format: "yolo", Selection: dataset.Selection{Split: dataset.Split{Train: 3, Val: 1}}}
	parts := func(from, to int) (train, val string) {
		for n := range to - from {
			put(t, store, detection(fmt.Sprintf("%03d.jpg", from+n)))
		}
		r := inFolder(t, store, options)
		return r.read(t, "train.txt"), r.read(t, "val.txt")
	}
	before, beforeVal := parts(0, 100)
	train, val := parts(100, 200)
	if n := strings.Count(val, "\n"); n < 30 || n > 70 || strings.Count(train, "\n") != 200-n {
		t.Errorf("%d images in val and %d in train, want about 50 and 150", n, strings.Count(train, "\n"))
	}
	if !strings.HasPrefix(train, before) || !strings.HasPrefix(val, beforeVal) {
		t.Error("images changed their part")
	}
	options.Format = "coco"
	r := inFolder(t, store, options)
	if n := strings.Count(r.read(t, "train.json")+r.read(t, "val.json"), "file_name"); n != 200 {
		t.Errorf("%d images in COCO's two files, want 200", n)
	}
}

func TestParseSplit(t *testing.T) {
	for text, want := range map[string]dataset.Split{
		"80:20": {Train: 80, Val: 20}, "80": {}, "80:0": {}, "0:1": {}, "-1:2": {}, "80:20:5": {}, "": {}, "0.8:0.2": {},
	} {
		if got, err := dataset.ParseSplit(text); got != want || (err == nil) != (want != dataset.Split{}) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []dataset.Options{
		{Format: "yolo"}, {Format: "voc"}, {Format: "jsonl", Images: true},
		{Format: "coco", Selection: dataset.Selection{Split: dataset.Split{Train: 1, Val: 1}}},
	} {
		if r := export(t, nil, o); r.err == nil || !strings.Contains(r.err.Error(), "--out") {
			t.Errorf("%s: %v, want an error that names --out", o.Format, r.err)
		}
	}
}

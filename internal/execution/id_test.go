package execution_test

import (
	"errors"
	"strings"
	"testing"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

func TestID(t *testing.T) {
	for key, want := range map[string]string{
		"uploads/cat.jpg": "uploads/cat", "cat.png": "cat.png", "cat.jpeg": "cat.jpeg", "cat.JPG": "cat.JPG", "a.b.jpg": "a.b.jpg",
		"cat": "cat.", "cat.": "cat..", "cat..": "cat...", "a.b/c": "a.b/c.", "a.jpg/c": "a.jpg/c.", "a.b/c.jpg": "a.b/c",
		"cat.tar.gz": "cat.tar.gz", ".jpg": ".jpg", "in/.jpg": "in/.jpg", "in/..jpg": "in/..jpg", "folder/": "folder/", "": "",
	} {
		if got := execution.ID(key); got != want {
			t.Errorf("ID(%q) is %q, want %q", key, got, want)
		}
		if got := execution.Key(want); got != key {
			t.Errorf("Key(%q) is %q, want %q", want, got, key)
		}
	}
}

// derivedNames returns the keys of the outputs and side-cars of an execution.
func derivedNames(id string) (names []string) {
	for _, suffix := range []string{"resize", "ai-detection", "filter", "resize-2", "filter-16"} {
		for _, extension := range []string{"jpg", "png", "webp", "tiff", "avif", "json"} {
			names = append(names, id+"_"+suffix+"."+extension)
		}
	}
	return names
}

// TestID_outputsNeverCollide combines the parts of keys that matter to the rule.
func TestID_outputsNeverCollide(t *testing.T) {
	keys, enough := []string{""}, 50_000
	if testing.Short() {
		enough = 10_000
	}
	for begin := 0; len(keys) < enough; {
		end := len(keys)
		for _, key := range keys[begin:end] {
			for _, piece := range []string{"a", ".", "/", ".jpg", ".png", "_resize", "_"} {
				keys = append(keys, key+piece)
			}
		}
		begin = end
	}
	seen := map[string]bool{}
	keyOf, upload := map[string]string{}, map[string]string{}
	for _, key := range keys {
		if seen[key] {
			continue
		}
		seen[key] = true
		id := execution.ID(key)
		if other, ok := keyOf[id]; ok {
			t.Fatalf("%q and %q have the id %q", key, other, id)
		}
		keyOf[id] = key
		if got := execution.Key(id); got != key {
			t.Fatalf("Key(%q) is %q, want %q", id, got, key)
		}
		for _, name := range []string{id + "_resize.json", id + "_resize.jpg", id + "_resize-2.jpg", id + "_filter.jpg",
			id + "_resize-small.jpg"} {
			if other, ok := upload[name]; ok {
				t.Fatalf("%q and %q have an output %q", key, other, name)
			}
			upload[name] = key
		}
	}
}

// FuzzID_outputsNeverCollide searches for two keys whose outputs have the same key.
func FuzzID_outputsNeverCollide(f *testing.F) {
	for _, pair := range [][2]string{
		{"cat.jpg", "cat"}, {"cat.jpg", "cat.png"}, {"cat.", "cat"}, {"cat.jpg", "cat.jpg.jpg"}, {"a/.jpg", "a/"},
		{"a.jpg", "a_resize.jpg"},
		{"a", "a_resize"}, {"a.png", "a.png_resize.png"}, {"cat.JPG", "cat.jpg"}, {"..jpg", ".jpg"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, key := range []string{a, b} {
			if got := execution.Key(execution.ID(key)); got != key {
				t.Errorf("Key(ID(%q)) is %q", key, got)
			}
		}
		if a == b {
			return
		}
		if execution.ID(a) == execution.ID(b) {
			t.Errorf("%q and %q have the id %q", a, b, execution.ID(a))
		}
		taken := map[string]bool{}
		for _, name := range derivedNames(execution.ID(a)) {
			taken[name] = true
		}
		for _, name := range derivedNames(execution.ID(b)) {
			if taken[name] {
				t.Errorf("%q and %q have an output %q", a, b, name)
			}
		}
	})
}

// TestFind_uploadsWithDifferentExtensions: they have executions of their own, independent
// of the order of the uploads.
func TestFind_uploadsWithDifferentExtensions(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, l execution.DeadLetterStore) {
		keys := []string{"in/cat.webp", "in/cat.png", "in/cat", "in/cat.jpg", "in/cat.jpeg", "in/cat.JPG"}
		for _, key := range keys {
			output(t, s, execution.ID(key), "resize", put(t, s, key, "image/jpeg", key, nil).ETag, "r "+key)
		}
		for _, key := range keys {
			e := find(t, s, l, execution.ID(key))
			if e.Source == nil || e.Source.Key != key || names(e) != "resize" ||
				!strings.HasPrefix(e.Steps[0].Output.Key, execution.ID(key)+"_") {
				t.Errorf("of %s found %+v", key, e)
			}
		}
		if e, err := execution.Find(t.Context(), s, l, bucket, "in/cat.jpg"); !errors.Is(err, objects.ErrNotFound) {
			t.Errorf("in/cat.jpg is the key of an upload and the id of none, found %+v, %v", e, err)
		}
	})
}

// TestFind_idGivenByCaller finds the image that the steps have read, with and without an
// upload that has the same id.
func TestFind_idGivenByCaller(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, l execution.DeadLetterStore) {
		source := put(t, s, "exec-42.png", "image/png", "v1", nil)
		if err := execution.SetOutcome(t.Context(), s, bucket, source.Key, "", execution.StatusCompleted); err != nil {
			t.Fatal(err)
		}
		put(t, s, "exec-42.webp", "image/webp", "another", nil)
		resized := output(t, s, "exec-42", "resize", source.ETag, "r")
		output(t, s, "exec-42", "filter", resized.ETag, "f")
		check := func(when string) {
			t.Helper()
			if e := find(t, s, l, "exec-42"); e.Source == nil || e.Source.Key != source.Key || names(e) != "resize filter" ||
				e.State != execution.Running {
				t.Errorf("%s: %+v", when, e)
			}
		}
		check("the upload's own chain has completed")
		upload := put(t, s, "exec-42.jpg", "image/jpeg", "an upload", nil)
		check("with an upload of the same id")
		output(t, s, "exec-42", "resize", upload.ETag, "of the upload")
		if e := find(t, s, l, "exec-42"); e.Source == nil || e.Source.Key != upload.Key || names(e) != "resize" {
			t.Errorf("when the upload's chain has written last: %+v", e)
		}
	})
}

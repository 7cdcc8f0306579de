package mirror_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/mirror"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
)

const bucket = "models"

func put(t *testing.T, store *objects.Store, files map[string]string) {
	t.Helper()
	for key, text := range files {
		if _, err := store.Put(t.Context(), bucket, key, "", []byte(text), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// open mirrors the prefix "repo" into a folder, which is only up to date after Sync.
func open(t *testing.T, store *objects.Store, dir string) *mirror.Mirror {
	t.Helper()
	m, err := mirror.Open(t.Context(), mirror.Config{Store: store, Bucket: bucket, Prefix: "repo", Dir: dir, MaxBytes: 100}, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func sync(t *testing.T, m *mirror.Mirror) {
	t.Helper()
	if err := m.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// want checks the files that a reader of the repository finds: it skips names with a dot in front.
func want(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	got := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		root := filepath.Join(dir, entry.Name())
		err := filepath.Walk(root+"/", func(name string, info os.FileInfo, err error) error {
			if err == nil && info.Mode().IsRegular() {
				text, _ := os.ReadFile(name)
				relative, _ := filepath.Rel(dir, name)
				got[relative] = string(text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		if got[name] != text {
			t.Errorf("%s is %q, want %q", name, got[name], text)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("also there: %v", got)
	}
}

// TestSync: new, changed and removed models, of which each is complete and stable before it is taken.
func TestSync(t *testing.T) {
	stores.Each(t, []string{bucket}, func(t *testing.T, _ stores.Kind, store *objects.Store) {
		dir := t.TempDir()
		put(t, store, map[string]string{
			"repo/a/1/model.onnx": "a1", "repo/a/labels.txt": "cat", "repo2/x/1/model.onnx": "x", "other": "o",
		})
		m := open(t, store, dir)
		first := map[string]string{"a/1/model.onnx": "a1", "a/labels.txt": "cat"}
		want(t, dir, first)

		put(t, store, map[string]string{"repo/a/1/model.onnx": "a2", "repo/b/1/model.onnx": "b1"})
		sync(t, m)
		want(t, dir, first) // the upload may be in progress
		put(t, store, map[string]string{"repo/a/labels.txt": "dog"})
		sync(t, m)
		second := map[string]string{"a/1/model.onnx": "a1", "a/labels.txt": "cat", "b/1/model.onnx": "b1"}
		want(t, dir, second)
		sync(t, m)
		second["a/1/model.onnx"], second["a/labels.txt"] = "a2", "dog"
		want(t, dir, second)

		for _, key := range []string{"repo/a/1/model.onnx", "repo/a/labels.txt"} {
			if err := store.Remove(t.Context(), bucket, key); err != nil {
				t.Fatal(err)
			}
		}
		sync(t, m)
		sync(t, m)
		want(t, dir, map[string]string{"b/1/model.onnx": "b1"})
		if versions, err := os.ReadDir(filepath.Join(dir, ".versions")); err != nil || len(versions) != 1 {
			t.Errorf("%v, %v: old versions are left", versions, err)
		}
	})
}

// TestOpenFiles: a reader that has begun to read a model finds its files until the next Sync.
func TestOpenFiles(t *testing.T) {
	_, store := stores.Start(t, stores.Local, bucket)
	dir := t.TempDir()
	put(t, store, map[string]string{"repo/a/1/model.onnx": "old"})
	m := open(t, store, dir)
	before, err := filepath.EvalSymlinks(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, store, map[string]string{"repo/a/1/model.onnx": "new"})
	sync(t, m)
	sync(t, m)
	want(t, dir, map[string]string{"a/1/model.onnx": "new"})
	if _, err := os.Stat(filepath.Join(before, "1/model.onnx")); err != nil {
		t.Error("the version before is gone at once")
	}
}

func TestRefusedKeys(t *testing.T) {
	_, store := stores.Start(t, stores.Local, bucket)
	dir := t.TempDir()
	put(t, store, map[string]string{
		"repo/a/1/model.onnx": "a", "repo/model.onnx": "r", "repo/.hidden/1/model.onnx": "h", "repo/b/line\nfeed": "l",
		"repo/large/1/model.onnx": strings.Repeat("x", 100), "repo/small/1/model.onnx": "s",
	})
	open(t, store, dir)
	want(t, dir, map[string]string{"a/1/model.onnx": "a", "small/1/model.onnx": "s"})
}

// TestRestart: a process starts with the models of the one before, without the store if need be.
func TestRestart(t *testing.T) {
	_, store := stores.Start(t, stores.Local, bucket)
	dir := t.TempDir()
	put(t, store, map[string]string{"repo/a/1/model.onnx": "a"})
	m := open(t, store, dir)
	if _, err := mirror.Open(t.Context(), mirror.Config{Store: store, Bucket: bucket, Prefix: "repo", Dir: dir}, 0); err == nil {
		t.Error("two processes share the folder")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	gone, err := objects.New(objects.Config{Endpoint: "127.0.0.1:1", AccessKey: "a", SecretKey: "b", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	m = open(t, gone, dir)
	want(t, dir, map[string]string{"a/1/model.onnx": "a"})
	_ = m.Close()
	// A file that was cut off is fetched again.
	if err := os.WriteFile(filepath.Join(dir, "a/1/model.onnx"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, store, dir)
	want(t, dir, map[string]string{"a/1/model.onnx": "a"})
}

func TestOpen_unavailable(t *testing.T) {
	gone, err := objects.New(objects.Config{Endpoint: "127.0.0.1:1", AccessKey: "a", SecretKey: "b", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	config := mirror.Config{Store: gone, Bucket: bucket, Dir: t.TempDir()}
	if _, err := mirror.Open(t.Context(), config, 0); !errors.Is(err, objects.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := mirror.Open(ended, config, time.Hour); err == nil {
		t.Error("it goes on after the end of its context")
	}
	_, store := stores.Start(t, stores.Local, bucket)
	config.Store, config.Bucket = store, "none"
	if _, err := mirror.Open(t.Context(), config, time.Hour); !errors.Is(err, objects.ErrNotFound) {
		t.Errorf("got %v, want that there is no bucket, at once", err)
	}
}

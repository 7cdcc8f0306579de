package bridge_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/objects"
)

const (
	jpegStart = "\xff\xd8\xff\xe0\x00\x10JFIF\x00"
	pngStart  = "\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"
	mp4Start  = "\x00\x00\x00\x20ftypisom\x00\x00\x02\x00"
)

// uploads are objects, and whether they start a chain.
var uploads = []struct {
	key, contentType, content string
	image                     bool
}{
	{"in/photo.jpg", "image/jpeg", jpegStart, true},
	{"in/text.jpg", "image/jpeg", "dear diary", true}, // its uploader expects an image
	{"in/text.jpeg", "application/octet-stream", "dear diary", true},
	{"in/Photo.JPG", "", jpegStart, true},
	{"in/photo", "application/octet-stream", jpegStart, true},
	{"in/photo2", "text/plain", pngStart, true},
	{"in/photo.bin", "binary/octet-stream", "RIFF\x10\x00\x00\x00WEBPVP8 ", true},
	{"in/scan", "", "II*\x00\x08\x00\x00\x00", true},
	{"in/heic", "", "\x00\x00\x00\x18ftypheic", true},
	{"in/upload.tmp", "application/x-unknown", "GIF89a", true},
	{"in/drawing", "image/svg+xml", "<svg/>", true},

	{"in/", "application/x-directory", "", false},
	{"in/dir/", "image/png", "", false},
	{"in/.keep", "binary/octet-stream", "", false},
	{"in/.keep2", "", "\n", false},
	{"in/empty.jpg", "image/jpeg", "", false},
	{"in/notes.txt", "text/plain; charset=utf-8", "notes", false},
	{"in/data.json", "application/json", "{}", false},
	{"in/clip.mp4", "video/mp4", mp4Start, false},
	{"in/clip", "application/octet-stream", mp4Start, false},
	{"in/notes", "text/plain", "BMW is no bitmap", false},
	{"in/archive.zip", "application/octet-stream", "PK\x03\x04", false},
	{"in/short", "", "\xff\xd8", false},
}

// created returns the notification for a new object. Like MinIO, it omits a size of 0.
func created(t *testing.T, info objects.Info) string {
	t.Helper()
	object := map[string]any{"key": info.Key, "eTag": info.ETag, "contentType": info.ContentType}
	if info.Size > 0 {
		object["size"] = info.Size
	}
	text, err := json.Marshal(map[string]any{"Records": []any{map[string]any{
		"eventName": "s3:ObjectCreated:Put", "s3": map[string]any{"bucket": map[string]any{"name": info.Bucket}, "object": object},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestOtherObjectsAreIgnored: neither notifications nor the sweeper start a chain for them.
func TestOtherObjectsAreIgnored(t *testing.T) {
	worlds(t, sweeping, func(t *testing.T, w *world) {
		want := map[string]bool{}
		for _, u := range uploads {
			info, err := w.store.Put(t.Context(), images, u.key, u.contentType, []byte(u.content), nil)
			if err != nil {
				t.Logf("%s: %v", u.key, err) // not every store accepts folder markers
				continue
			}
			want[u.key] = u.image
			before := len(w.broker.all())
			if code := notify(w.bridge, "", created(t, info)); code != http.StatusOK {
				t.Errorf("%s is answered %d", u.key, code)
			}
			if sent := len(w.broker.all()) > before; sent != u.image {
				t.Errorf("%s as %q with %.12q: sent %v", u.key, u.contentType, u.content, sent)
			}
		}
		before := len(w.broker.all())
		sweeper := w.bridge.NewSweeper()
		sweeper.Ahead = grace + time.Second
		if err := sweeper.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		swept := map[string]bool{}
		for _, e := range w.broker.all()[before:] {
			swept[e.Subject()] = true
		}
		for key, image := range want {
			if swept[key] != image {
				t.Errorf("the sweeper sent %s: %v", key, swept[key])
			}
		}
		if found := w.allDeadLetters(); len(found) > 0 {
			t.Errorf("there are dead letters: %+v", found)
		}
	})
}

// TestStrictUploads: with Strict, every upload starts a chain.
func TestStrictUploads(t *testing.T) {
	worlds(t, sweeping, func(t *testing.T, w *world) {
		h, err := bridge.New(bridge.Config{
			Broker: w.broker.URL, Store: w.store, DeadLetters: dead, AcceptWithin: time.Minute, Sweep: sweeping, Strict: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range uploads {
			info := objects.Info{Bucket: images, Key: u.key, ContentType: u.contentType, Size: int64(len(u.content)), ETag: "e"}
			if code := notify(h, "", created(t, info)); code != http.StatusOK {
				t.Errorf("%s is answered %d", u.key, code)
			}
		}
		if n := len(w.broker.all()); n != len(uploads) {
			t.Errorf("%d events, want %d", n, len(uploads))
		}
	})
}

// TestRemovedUploadOfUnknownKind: it starts no chain, and the store does not repeat its
// notification.
func TestRemovedUploadOfUnknownKind(t *testing.T) {
	worlds(t, sweeping, func(t *testing.T, w *world) {
		gone := objects.Info{Bucket: images, Key: "in/gone", ETag: strings.Repeat("0", 32), Size: 9}
		if code := notify(w.bridge, "", created(t, gone)); code != http.StatusOK || len(w.broker.all()) != 0 ||
			len(w.allDeadLetters()) != 0 {
			t.Errorf("answered %d, %d events, %d dead letters", code, len(w.broker.all()), len(w.allDeadLetters()))
		}
	})
}

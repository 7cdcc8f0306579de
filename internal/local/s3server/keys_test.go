package s3server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
)

// wrongKeys would be the file of u/a, or no file at all.
var wrongKeys = []string{"u//a", "u/./a", "u/../u/a", "./u/a", "../images/u/a", "/u/a", "u/a/.", "u/a\x00"}

// TestKeys_noAliases: a key is itself or is refused, wherever a request has it.
func TestKeys_noAliases(t *testing.T) {
	_, c := start(t, folder(t), "")
	put(t, c, "images", "u/a", "hello", minio.PutObjectOptions{})
	put(t, c, "images", "u/..a/.b", "hello", minio.PutObjectOptions{})
	for _, key := range wrongKeys {
		_, err := c.PutObject(t.Context(), "images", key, strings.NewReader("other"), 5, minio.PutObjectOptions{})
		refusedKey(t, "put", key, err)
		_, err = c.StatObject(t.Context(), "images", key, minio.StatObjectOptions{})
		refusedKey(t, "stat", key, err)
		refusedKey(t, "remove", key, c.RemoveObject(t.Context(), "images", key, minio.RemoveObjectOptions{}))
		_, err = c.CopyObject(t.Context(), minio.CopyDestOptions{Bucket: "images", Object: "copy"},
			minio.CopySrcOptions{Bucket: "images", Object: key})
		refusedKey(t, "copy", key, err)
		objects := make(chan minio.ObjectInfo, 1)
		objects <- minio.ObjectInfo{Key: key}
		close(objects)
		for failed := range c.RemoveObjects(t.Context(), "images", objects, minio.RemoveObjectsOptions{}) {
			refusedKey(t, "remove several", key, failed.Err)
		}
	}
	if code, text := postForm(t, c, "u/./a", "other"); code != http.StatusBadRequest {
		t.Errorf("a form: %d %s", code, text)
	}
	var listed []string
	for o := range c.ListObjects(t.Context(), "images", minio.ListObjectsOptions{Recursive: true}) {
		listed = append(listed, o.Key+" "+o.ETag[:4])
	}
	if got := strings.Join(listed, ", "); got != "u/..a/.b 5d41, u/a 5d41" {
		t.Errorf("the bucket has %s", got)
	}
}

// TestKeys_tooLong: a key with a part that no file can be named is refused before its content is sent, and in a deletion of
// several objects only that key is.
func TestKeys_tooLong(t *testing.T) {
	_, c := start(t, folder(t), "")
	core := minio.Core{Client: c}
	fits, long := "u/"+strings.Repeat("x", 255), "u/"+strings.Repeat("x", 256)+"/a"
	if _, err := core.NewMultipartUpload(t.Context(), "images", fits, minio.PutObjectOptions{}); err != nil {
		t.Errorf("a multipart upload of a key that fits: %v", err)
	}
	put(t, c, "images", fits, "hello", minio.PutObjectOptions{})
	_, multipart := core.NewMultipartUpload(t.Context(), "images", long, minio.PutObjectOptions{})
	_, whole := c.PutObject(t.Context(), "images", long, strings.NewReader("a"), 1, minio.PutObjectOptions{})
	_, copied := c.CopyObject(t.Context(), minio.CopyDestOptions{Bucket: "images", Object: long},
		minio.CopySrcOptions{Bucket: "images", Object: fits})
	for what, err := range map[string]error{"multipart upload": multipart, "put": whole, "copy": copied} {
		if code := minio.ToErrorResponse(err).Code; code != "KeyTooLongError" {
			t.Errorf("%s: got %q, %v", what, code, err)
		}
	}
	objects := make(chan minio.ObjectInfo, 2)
	objects <- minio.ObjectInfo{Key: long}
	objects <- minio.ObjectInfo{Key: fits}
	close(objects)
	for failed := range c.RemoveObjects(t.Context(), "images", objects, minio.RemoveObjectsOptions{}) {
		if failed.ObjectName != long {
			t.Errorf("remove several: %+v", failed)
		}
	}
	if _, err := c.StatObject(t.Context(), "images", fits, minio.StatObjectOptions{}); err == nil {
		t.Error("the key that fits is not deleted")
	}
}

func refusedKey(t *testing.T, what, key string, err error) {
	t.Helper()
	if minio.ToErrorResponse(err).StatusCode != http.StatusBadRequest {
		t.Errorf("%s %q: %v", what, key, err)
	}
}

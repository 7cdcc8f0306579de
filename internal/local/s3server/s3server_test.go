package s3server_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/tags"

	"imageflow.dev/internal/local/s3server"
)

// keys have characters that need escaping in a URL, a header or XML.
var keys = []string{"plain.jpg", "in/dir with space/ü+é&=%2F.jpg", "100%/a+b=c&d?e#f.jpg", "日本/猫.png", "a~b'(c)!*.jpg"}

func TestObjects_roundTrip(t *testing.T) {
	_, c := start(t, folder(t), "")
	for _, key := range keys {
		put(t, c, "images", key, "hello", minio.PutObjectOptions{
			ContentType: "image/jpeg", UserMetadata: map[string]string{"trace-id": "abc"}, UserTags: map[string]string{"a": "1"},
		})
		o, err := c.GetObject(t.Context(), "images", key, minio.GetObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if content, err := io.ReadAll(o); string(content) != "hello" {
			t.Errorf("%s: got %q, %v", key, content, err)
		}
		info, err := c.StatObject(t.Context(), "images", key, minio.StatObjectOptions{})
		if err != nil || info.ETag != "5d41402abc4b2a76b9719d911017c592" || info.Size != 5 ||
			info.ContentType != "image/jpeg" || info.UserMetadata["Trace-Id"] != "abc" {
			t.Errorf("%s: got %+v, %v", key, info, err)
		}
		set, _ := tags.MapToObjectTags(map[string]string{"imageflow-status": "completed"})
		if err := c.PutObjectTagging(t.Context(), "images", key, set, minio.PutObjectTaggingOptions{}); err != nil {
			t.Error(err)
		}
		have, err := c.GetObjectTagging(t.Context(), "images", key, minio.GetObjectTaggingOptions{})
		if err != nil || have.ToMap()["imageflow-status"] != "completed" || have.Count() != 1 {
			t.Errorf("%s: got tags %v, %v", key, have, err)
		}
	}
	var listed []string
	for o := range c.ListObjects(t.Context(), "images", minio.ListObjectsOptions{Recursive: true}) {
		listed = append(listed, o.Key)
	}
	slices.Sort(listed)
	if want := slices.Sorted(slices.Values(keys)); !slices.Equal(listed, want) {
		t.Errorf("listed %q, want %q", listed, want)
	}
}

// Clients that create their bucket first, such as rclone, get BucketAlreadyOwnedByYou,
// also for a bucket of the configuration.
func TestCreateBucket_alreadyOwned(t *testing.T) {
	_, c := start(t, folder(t), "")
	if err := c.MakeBucket(t.Context(), "more-images", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{"images", "more-images"} {
		err := c.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{})
		if code := minio.ToErrorResponse(err).Code; code != "BucketAlreadyOwnedByYou" {
			t.Errorf("%s: got %q, %v", bucket, code, err)
		}
	}
}

func TestConditionalRequests(t *testing.T) {
	_, c := start(t, folder(t), "")
	const etag = "5d41402abc4b2a76b9719d911017c592"
	put(t, c, "images", "a", "hello", minio.PutObjectOptions{})
	for name, set := range map[string]func(*minio.PutObjectOptions){
		"absent":        func(o *minio.PutObjectOptions) { o.SetMatchETagExcept("*") },
		"other version": func(o *minio.PutObjectOptions) { o.SetMatchETag(strings.Repeat("0", 32)) },
	} {
		var o minio.PutObjectOptions
		set(&o)
		_, err := c.PutObject(t.Context(), "images", "a", strings.NewReader("x"), 1, o)
		if minio.ToErrorResponse(err).StatusCode != 412 {
			t.Errorf("a put on %s: got %v, want 412", name, err)
		}
	}
	var get minio.GetObjectOptions
	if err := get.SetMatchETag(strings.Repeat("0", 32)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.StatObject(t.Context(), "images", "a", get); minio.ToErrorResponse(err).StatusCode != 412 {
		t.Errorf("a get of another version: got %v, want 412", err)
	}
	var same minio.PutObjectOptions
	same.SetMatchETag(etag)
	put(t, c, "images", "a", "hello again", same)
	if winners := race(c, 16); winners != 1 {
		t.Errorf("%d of 16 created the same object", winners)
	}
}

// race creates one object n times concurrently and returns the number of successes.
func race(c *minio.Client, n int) int64 {
	var winners atomic.Int64
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			var o minio.PutObjectOptions
			o.SetMatchETagExcept("*")
			if _, err := c.PutObject(context.Background(), "images", "raced", strings.NewReader("x"), 1, o); err == nil {
				winners.Add(1)
			}
		})
	}
	group.Wait()
	return winners.Load()
}

func TestStart_keepsDataOfEarlierServer(t *testing.T) {
	dir := folder(t)
	s, c := start(t, dir, "")
	put(t, c, "images", keys[1], "hello", minio.PutObjectOptions{
		ContentType: "image/jpeg", UserMetadata: map[string]string{"trace-id": "abc"}, UserTags: map[string]string{"a": "1"},
	})
	if file, err := os.ReadFile(filepath.Join(s.Path("images"), keys[1])); string(file) != "hello" {
		t.Errorf("the object's file: %q, %v", file, err)
	}
	// A client that opens a connection and sends no request must not delay Close.
	idle, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Close took %v", took)
	}
	idle.Close()
	_, c = start(t, dir, "")
	info, err := c.StatObject(t.Context(), "images", keys[1], minio.StatObjectOptions{})
	if err != nil || info.UserMetadata["Trace-Id"] != "abc" || info.ContentType != "image/jpeg" || info.UserTagCount != 1 {
		t.Errorf("got %+v, %v", info, err)
	}
}

// A folder that has separate files for attributes keeps them. They are for file systems
// without extended attributes.
func TestStart_attributesInSeparateFiles(t *testing.T) {
	dir := folder(t)
	if err := os.Mkdir(filepath.Join(dir, "attributes"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, c := start(t, dir, "")
	put(t, c, "images", keys[1], "hello", minio.PutObjectOptions{UserMetadata: map[string]string{"trace-id": "abc"}})
	info, err := c.StatObject(t.Context(), "images", keys[1], minio.StatObjectOptions{})
	if err != nil || info.UserMetadata["Trace-Id"] != "abc" {
		t.Errorf("got %+v, %v", info, err)
	}
	if files, err := os.ReadDir(filepath.Join(dir, "attributes")); err != nil || len(files) == 0 {
		t.Errorf("got %v, %v", files, err)
	}
}

func TestStart_invalidConfig(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	config := func(address, secret string, buckets ...string) s3server.Config {
		return s3server.Config{Address: address, Dir: folder(t), AccessKey: "a", SecretKey: secret, Buckets: buckets}
	}
	for name, c := range map[string]struct {
		config s3server.Config
		names  string
	}{
		"address in use":      {config(l.Addr().String(), "b"), l.Addr().String()},
		"invalid bucket name": {config("127.0.0.1:0", "b", "A_b"), "A_b"},
		"no secret":           {config("127.0.0.1:0", ""), "secret"},
	} {
		if s, err := s3server.Start(t.Context(), c.config); err == nil || s != nil || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: got %v, want an error that contains %q", name, err, c.names)
		}
	}
}

func TestStart_secondServerFails(t *testing.T) {
	start(t, folder(t), "")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	second := s3server.Config{Address: "127.0.0.1:0", Dir: folder(t), AccessKey: "a", SecretKey: "b"}
	if _, err := s3server.Start(ctx, second); err == nil {
		t.Error("a second server started in the same process")
	}
}

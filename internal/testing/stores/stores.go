// Package stores starts the object stores that tests run against: a real MinIO, the S3 server of
// local mode, and that server without what some stores lack.
package stores

import (
	"cmp"
	"net/http"
	"slices"
	"testing"

	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"imageflow.dev/internal/local/s3server"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/freeport"
	"imageflow.dev/internal/testing/minio"
	"imageflow.dev/internal/testing/plainproxy"
)

// Kind is a kind of store.
type Kind struct {
	Name string
	// ListsMetadata means that listings have metadata and tags.
	ListsMetadata bool
	// Plain means that the store has no conditional writes.
	Plain bool
	start func(testing.TB) objects.Config
}

// The kinds of stores.
var (
	MinIO = Kind{Name: "minio", ListsMetadata: true, start: func(t testing.TB) objects.Config {
		return objects.Config{Endpoint: minio.Start(t).Address, AccessKey: minio.AccessKey, SecretKey: minio.SecretKey}
	}}
	Local = Kind{Name: "local", start: startLocal}
	Plain = Kind{Name: "plain", Plain: true, start: startPlain}
)

// tagBucket has the tags of a plain store.
const tagBucket = "tags"

// Each runs a test against every kind of store, with these buckets, or only against the server in TEST_STORE.
func Each(t *testing.T, buckets []string, test func(*testing.T, Kind, *objects.Store)) {
	for _, kind := range kinds(t) {
		t.Run(kind.Name, func(t *testing.T) {
			_, store := Start(t, kind, buckets...)
			test(t, kind, store)
		})
	}
}

// Start starts a store with these buckets. It ends with the test.
func Start(t testing.TB, kind Kind, buckets ...string) (objects.Config, *objects.Store) {
	t.Helper()
	config := kind.start(t)
	config.Region = "us-east-1"
	client, err := miniogo.New(config.Endpoint, &miniogo.Options{
		Creds:     credentials.NewStaticV4(config.AccessKey, config.SecretKey, ""),
		Region:    config.Region,
		Transport: &http.Transport{DisableKeepAlives: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, bucket := range slices.Concat(buckets, tagBuckets(config)) {
		makeEmpty(t, client, bucket)
	}
	store, err := objects.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close) // or the local server would wait for connections that were never used
	return config, store
}

// makeEmpty makes a bucket, or removes the objects in it that an earlier test left on a server.
func makeEmpty(t testing.TB, client *miniogo.Client, bucket string) {
	t.Helper()
	exists, err := client.BucketExists(t.Context(), bucket)
	if err == nil && !exists {
		err = client.MakeBucket(t.Context(), bucket, miniogo.MakeBucketOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	for o := range client.ListObjectsIter(t.Context(), bucket, miniogo.ListObjectsOptions{Recursive: true}) {
		if err := cmp.Or(o.Err, client.RemoveObject(t.Context(), bucket, o.Key, miniogo.RemoveObjectOptions{})); err != nil {
			t.Fatal(err)
		}
	}
}

func startLocal(t testing.TB) objects.Config {
	dir := t.TempDir()
	t.Chdir(dir) // the server does, too; this returns to the test's directory at the end
	s, err := s3server.Start(t.Context(), s3server.Config{
		Address: freeport.Address(), Dir: dir, AccessKey: "user", SecretKey: "password",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return objects.Config{Endpoint: s.Address(), AccessKey: "user", SecretKey: "password"}
}

// startPlain starts a store that has no tags and no conditional writes, and the client's settings for it.
func startPlain(t testing.TB) objects.Config {
	c := startLocal(t)
	c.Endpoint = plainproxy.Start(t, c.Endpoint)
	c.TagBucket, c.PlainWrites = tagBucket, true
	return c
}

func tagBuckets(c objects.Config) []string {
	if c.TagBucket == "" {
		return nil
	}
	return []string{c.TagBucket}
}

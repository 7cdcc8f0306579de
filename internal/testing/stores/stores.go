// Package stores starts the object stores that tests run against: a real MinIO,
// and the S3 server of local mode.
package stores

import (
	"net/http"
	"testing"

	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"imageflow.dev/internal/local/s3server"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/freeport"
	"imageflow.dev/internal/testing/minio"
)

// Kind is a kind of store.
type Kind struct {
	Name string
	// ListsMetadata means that listings have metadata and tags.
	ListsMetadata bool
	start         func(testing.TB) objects.Config
}

// The kinds of stores.
var (
	MinIO = Kind{"minio", true, func(t testing.TB) objects.Config {
		return objects.Config{Endpoint: minio.Start(t).Address, AccessKey: minio.AccessKey, SecretKey: minio.SecretKey}
	}}
	Local = Kind{"local", false, startLocal}
)

// Each runs a test against every kind of store, with these buckets.
func Each(t *testing.T, buckets []string, test func(*testing.T, Kind, *objects.Store)) {
	for _, kind := range []Kind{MinIO, Local} {
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
	for _, bucket := range buckets {
		if err := client.MakeBucket(t.Context(), bucket, miniogo.MakeBucketOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	store, err := objects.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close) // or the local server would wait for connections that were never used
	return config, store
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

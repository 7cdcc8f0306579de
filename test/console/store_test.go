package console_test

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const bucket = "imageflow-files"

func store(t testing.TB, system *site) *minio.Client {
	t.Helper()
	client, err := minio.New(system.s3, &minio.Options{
		Creds: credentials.NewStaticV4(system.accessKey, system.secretKey, ""), Region: "us-east-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// put stores an object in the bucket of images, as any upload does.
func put(t testing.TB, system *site, key, contentType string, data []byte) {
	t.Helper()
	putTagged(t, system, key, contentType, data, nil)
}

func putTagged(t testing.TB, system *site, key, contentType string, data []byte, tags map[string]string) {
	t.Helper()
	options := minio.PutObjectOptions{ContentType: contentType, UserTags: tags}
	_, err := store(t, system).PutObject(context.Background(), bucket, key, bytes.NewReader(data), int64(len(data)), options)
	if err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

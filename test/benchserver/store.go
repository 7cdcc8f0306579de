package main

import (
	"context"
	"fmt"
	"mime"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"imageflow.dev/internal/testing/freeport"
)

const (
	accessKey, secretKey = "benchserver", "benchserver-secret"
	bucket               = "bench"
	// sources is the number of copies of the image. Servers may merge equal requests.
	sources = 64
)

// store is a running MinIO.
type store struct {
	process *process
	address string
	client  *minio.Client
	suffix  string // of the keys of the sources
}

// startMinIO starts the MinIO that MINIO_BINARY names, with a bucket that everyone may
// read, because other servers fetch images by plain URL.
func (s *servers) startMinIO(ctx context.Context) (*store, error) {
	binary := os.Getenv("MINIO_BINARY")
	if binary == "" {
		return nil, fmt.Errorf("MINIO_BINARY names no MinIO; make bench-server builds one and sets the variable")
	}
	st := &store{address: freeport.Address()}
	cmd := exec.Command(binary, "server", filepath.Join(s.dir, "data"), "--address", st.address,
		"--console-address", "127.0.0.1:0", "--quiet")
	var err error
	st.process, err = s.start(ctx, "MinIO", "http://"+st.address+"/minio/health/ready", cmd,
		"MINIO_ROOT_USER="+accessKey, "MINIO_ROOT_PASSWORD="+secretKey, "MINIO_BROWSER=off", "MINIO_UPDATE=off", "CI=true")
	if err != nil {
		return nil, err
	}
	st.client, err = minio.New(st.address, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, "")})
	if err != nil {
		return nil, err
	}
	if err := st.client.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}); err != nil {
		return nil, err
	}
	return st, st.client.SetBucketPolicy(ctx, bucket, `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
		"Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::`+bucket+`/source/*"}]}`)
}

// upload writes the copies of the image.
func (st *store) upload(ctx context.Context, file string) error {
	st.suffix = filepath.Ext(file)
	for n := range sources {
		_, err := st.client.FPutObject(ctx, bucket, st.source(n), file,
			minio.PutObjectOptions{ContentType: mime.TypeByExtension(st.suffix)})
		if err != nil {
			return fmt.Errorf("--image: %w", err)
		}
	}
	return nil
}

// source returns the key of the source of the nth request.
func (st *store) source(n int) string { return fmt.Sprintf("source/%d%s", n%sources, st.suffix) }

// checkOutputs returns an error if an output of our processes is missing.
func (st *store) checkOutputs(ctx context.Context, targets []*target) error {
	for _, t := range targets {
		if !t.stores {
			continue
		}
		written := 0
		for o := range st.client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: t.name + "/", Recursive: true}) {
			if o.Err != nil {
				return o.Err
			}
			if filepath.Ext(o.Key) != ".json" {
				written++
			}
		}
		if written != t.sent {
			return fmt.Errorf("%s answered %d requests but wrote %d outputs", t.name, t.sent, written)
		}
	}
	return nil
}

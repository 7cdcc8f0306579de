package job_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"log/slog"
	"os"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/local/s3server"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/freeport"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	bucket = "imageflow-files" // the default bucket of all runners
	other  = "other-files"
)

// store is the client of the S3 server that all tests share, and endpoint is its address.
// TestMain sets them.
var (
	store    *objects.Store
	endpoint string
)

func TestMain(m *testing.M) {
	code, err := runWithStore(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runWithStore(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "job")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	s3, err := s3server.Start(context.Background(), s3server.Config{
		Address: freeport.Address(), Dir: dir, AccessKey: "user", SecretKey: "password", Buckets: []string{bucket, other},
	})
	if err != nil {
		return 0, err
	}
	defer s3.Close()
	endpoint = s3.Address()
	store, err = objects.New(objects.Config{Endpoint: endpoint, AccessKey: "user", SecretKey: "password", Region: "us-east-1"})
	if err != nil {
		return 0, err
	}
	return m.Run(), nil
}

type (
	processor = functions.Processor
	runner    = job.Runner
	apply     = func(context.Context, functions.Request, functions.Input) (imaging.Encoded, functions.Response, error)
)

// limits, config and roomy are the defaults of the tests. No test changes them.
var (
	limits = imaging.Limits{MaxSide: 2000, MaxPixels: 1_000_000}
	config = job.Config{Bucket: bucket, MaxObjectBytes: maxObjectBytes, Limits: limits}
	roomy  = job.AdmissionLimits{Queue: 8, Active: 4, DecodedBytes: 64 << 20, Cores: 2}
)

const maxObjectBytes = 1 << 20

// run runs one job of the resize processor with the roomy limits.
func run(t *testing.T, req *imageflowv1.ResizeRequest) (*imageflowv1.ResizeResponse, error) {
	t.Helper()
	if req.GetTargetWidth() == 0 {
		req.TargetWidth = 8
	}
	return resized(newRunner(resize.Processor, roomy).Run(t.Context(), req, job.FailFast))
}

// resized returns the response of a resize with its own type.
func resized(resp functions.Response, err error) (*imageflowv1.ResizeResponse, error) {
	typed, _ := resp.(*imageflowv1.ResizeResponse)
	return typed, err
}

func newRunner(p processor, a job.AdmissionLimits) *runner {
	return job.NewRunner(p, store, job.NewAdmission(a), config)
}

// applying returns the resize processor with another Apply.
func applying(apply apply) processor {
	p := resize.Processor
	p.Apply = apply
	return p
}

func imageOf(width, height int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = byte(i)
	}
	m.Set(0, 0, color.White)
	return m
}

func pngOf(t testing.TB, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, imageOf(width, height)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t testing.TB, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, imageOf(width, height), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// put writes an object and returns its ETag. The end of the test removes all objects.
func put(t *testing.T, bucket, key string, data []byte) string {
	t.Helper()
	t.Cleanup(removeAll)
	info, err := store.Put(t.Context(), bucket, key, "application/octet-stream", data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return info.ETag
}

// removeAll removes all objects, so that a repeated test finds no outputs of its own.
func removeAll() {
	for _, bucket := range []string{bucket, other} {
		for o, err := range store.Walk(context.Background(), bucket, "") {
			if err == nil {
				err = store.Remove(context.Background(), bucket, o.Key)
			}
			if err != nil {
				slog.Error("object of a test could not be removed", "error", err)
			}
		}
	}
}

// keys returns the keys of a bucket that begin with a prefix.
func keys(t *testing.T, bucket, prefix string) []string {
	t.Helper()
	var found []string
	for o, err := range store.Walk(t.Context(), bucket, prefix) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, o.Key)
	}
	return found
}

// in returns the name of an object in the default bucket.
func in(key string) *imageflowv1.ImageData { return &imageflowv1.ImageData{ObjectKey: key} }

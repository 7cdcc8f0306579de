// Without this constraint, the fuzzer would instrument everything that a server links.
//go:build !fuzz

package imaging_test

import (
	"context"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/status"

	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/rpc"
	"imageflow.dev/internal/testing/grpctest"
	"imageflow.dev/internal/testing/stores"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// serveResize starts a gRPC server of the resize processor, with a store.
func serveResize(t *testing.T) (imageflowv1.ResizeServiceClient, *objects.Store) {
	t.Helper()
	_, store := stores.Start(t, stores.Local, "images")
	limits := job.AdmissionLimits{Queue: 8, Active: 8, DecodedBytes: 1 << 30, Cores: 2}
	run := job.NewRunner(resize.Processor, store, job.NewAdmission(limits),
		job.Config{Bucket: "images", MaxObjectBytes: 64 << 20, Limits: roomy}).Run
	server := grpc.NewServer(grpc.MaxRecvMsgSize(65 << 20))
	service := &rpc.Handler{Processor: resize.Processor, Run: run, Health: health.NewServer()}
	if err := service.Register(server); err != nil {
		t.Fatal(err)
	}
	return imageflowv1.NewResizeServiceClient(grpctest.Serve(t, server)), store
}

// TestHostileCorpus_overGRPC sends the corpus in requests, and through the bucket under keys
// with the wrong extension. Callers get INVALID_ARGUMENT or an image, and the processor
// writes only images and their metadata.
func TestHostileCorpus_overGRPC(t *testing.T) {
	if testing.Short() {
		t.Skip("TestHostileCorpus reads the same files")
	}
	temp := t.TempDir()
	client, store := serveResize(t)
	t.Setenv("TMPDIR", temp)
	slowest, took, resized := "", time.Duration(0), 0
	call := func(name string, file suspect, r *imageflowv1.ResizeRequest) (ok bool) {
		r.TargetWidth, r.TargetHeight, r.ExecutionId = 16, 16, "out/"+name
		began := time.Now()
		_, err := client.ResizeImage(t.Context(), r)
		if d := time.Since(began); d > took {
			slowest, took = name, d
		}
		expected := err == nil && file.accepted || status.Code(err) == codes.InvalidArgument && !file.accepted
		if expected = expected || file.cut && err == nil; !expected {
			t.Errorf("%s, %d bytes: %v", name, len(file.data), err)
		}
		return err == nil
	}
	files := corpus(t, 6)
	for name, file := range files {
		call(name, file, &imageflowv1.ResizeRequest{InputBytes: file.data})
		key := "in/" + name + ".gif"
		if _, err := store.Put(t.Context(), "images", key, "image/gif", file.data, nil); err != nil {
			t.Fatal(err)
		}
		if call(name, file, &imageflowv1.ResizeRequest{InputImage: &imageflowv1.ImageData{ObjectKey: key}}) {
			resized++
		}
	}
	t.Logf("%d files, each in the request and in the bucket; the slowest, %s, took %v", len(files), slowest, took)
	if got, want := count(t, store, "out/"), 2*resized; got != want { // each with its side-car
		t.Errorf("got %d written objects, want %d", got, want)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("the temporary folder has %v, %v", left, err)
	}
}

func count(t *testing.T, store *objects.Store, prefix string) (n int) {
	t.Helper()
	for _, err := range store.Walk(context.Background(), "images", prefix) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

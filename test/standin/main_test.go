package main

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// start serves a stand-in until the test ends.
func start(t *testing.T, took time.Duration, pod string) imageflowv1.FilterServiceClient {
	t.Helper()
	t.Setenv("HOST", "127.0.0.1")
	t.Setenv("PORT", "0")
	t.Setenv("MINIO_ENDPOINT", "127.0.0.1:1")
	t.Setenv("EVENT_SIGNING_KEYS", "0123456789abcdef0123456789abcdef")
	s, err := listen(processor(took, pod))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	conn, err := grpc.NewClient(s.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return imageflowv1.NewFilterServiceClient(conn)
}

// TestStandin: a call takes the time, gets its image back, and says who answered.
func TestStandin(t *testing.T) {
	const took = 400 * time.Millisecond
	client := start(t, took, "pod-7")
	var img bytes.Buffer
	if err := jpeg.Encode(&img, image.NewGray(image.Rect(0, 0, 32, 24)), nil); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r, err := client.ApplyFilter(t.Context(), &imageflowv1.FilterRequest{
		InputBytes: img.Bytes(), FilterType: imageflowv1.FilterType_FILTER_TYPE_BLUR, ExecutionId: "one",
	})
	if err != nil {
		t.Fatal(err)
	}
	if e := time.Since(began); e < took {
		t.Errorf("answered after %v, want at least %v", e, took)
	}
	if pod := r.GetMetadata().GetAppliedParameters()["pod"]; pod != "pod-7" {
		t.Errorf("answered by %q", pod)
	}
	if !bytes.Equal(r.GetResult().GetOutputData(), img.Bytes()) {
		t.Errorf("%d bytes came back, want the %d of the image", len(r.GetResult().GetOutputData()), img.Len())
	}
}

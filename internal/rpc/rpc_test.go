package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/rpc"
	"imageflow.dev/internal/testing/grpctest"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

type (
	request  = imageflowv1.ResizeRequest
	response = imageflowv1.ResizeResponse
	work     = func(context.Context, functions.Request, job.OverloadPolicy) (functions.Response, error)
)

const parallelism = 4

// serve starts a server of the resize processor that runs jobs with run.
func serve(t *testing.T, run work) (*grpc.ClientConn, *health.Server) {
	t.Helper()
	server, healthy := grpc.NewServer(), health.NewServer()
	healthy.SetServingStatus(resize.Processor.Service, healthpb.HealthCheckResponse_SERVING)
	handler := &rpc.Handler{Processor: resize.Processor, Run: run, Health: healthy, StreamParallelism: parallelism}
	if err := handler.Register(server); err != nil {
		t.Fatal(err)
	}
	reflection.Register(server)
	return grpctest.Serve(t, server), healthy
}

func client(t *testing.T, run work) imageflowv1.ResizeServiceClient {
	conn, _ := serve(t, run)
	return imageflowv1.NewResizeServiceClient(conn)
}

// limited returns a context that ends long after any passing test.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// numbered returns a response with the number of a request, which is its target width.
func numbered(r functions.Request) *response {
	metadata := &imageflowv1.ResizeMetadata{OutputWidth: r.(*request).GetTargetWidth()}
	return &response{Result: &imageflowv1.ProcessingResult{}, Metadata: metadata}
}

// send sends n numbered requests and closes the stream.
func send(t *testing.T, s imageflowv1.ResizeService_ResizeImageStreamClient, n int32) {
	for i := range n {
		if err := s.Send(&request{TargetWidth: i}); err != nil {
			t.Errorf("item %d: %v", i, err)
			return
		}
	}
	if err := s.CloseSend(); err != nil {
		t.Error(err)
	}
}

// receive reads all responses.
func receive(t *testing.T, s imageflowv1.ResizeService_ResizeImageStreamClient) (all []*response) {
	t.Helper()
	for {
		r, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("after %d responses: %v", len(all), err)
		}
		all = append(all, r)
	}
}

func open(t *testing.T, ctx context.Context, run work) imageflowv1.ResizeService_ResizeImageStreamClient {
	t.Helper()
	s, err := client(t, run).ResizeImageStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStreamKeepsOrder: requests run in parallel up to the limit and wait for admission. Responses
// have the order of the requests, and a failed item is a response too.
func TestStreamKeepsOrder(t *testing.T) {
	const n = 200
	var now, most atomic.Int64
	s := open(t, limited(t), func(_ context.Context, r functions.Request, p job.OverloadPolicy) (functions.Response, error) {
		if working := now.Add(1); working > most.Load() {
			most.Store(working)
		}
		defer now.Add(-1)
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
		if p != job.Block {
			t.Error("an item of a stream is impatient")
		}
		if r.(*request).GetTargetWidth()%10 == 3 {
			return nil, functions.Errorf(functions.Invalid, "target_width", "ends in 3")
		}
		return numbered(r), nil
	})
	go send(t, s, n)
	all := receive(t, s)
	if len(all) != n {
		t.Fatalf("%d responses to %d requests", len(all), n)
	}
	for i, r := range all {
		failed := r.GetResult().GetStatus() == imageflowv1.ProcessingStatus_PROCESSING_STATUS_FAILED
		switch facts := r.GetResult().GetMetadata(); {
		case failed != (i%10 == 3):
			t.Errorf("item %d failed: %v", i, failed)
		case failed && (facts["error_code"] != "INVALID_ARGUMENT" || facts["error_field"] != "target_width" ||
			r.GetResult().GetMessage() != "target_width: ends in 3"):
			t.Errorf("item %d is %v", i, r.GetResult())
		case !failed && r.GetMetadata().GetOutputWidth() != int32(i):
			t.Errorf("item %d is answered with %d", i, r.GetMetadata().GetOutputWidth())
		}
	}
	if got := most.Load(); got > parallelism || got < 2 {
		t.Errorf("%d at once, want up to %d", got, parallelism)
	}
}

// TestBackPressure: the server stops working for a caller that does not read its responses.
func TestBackPressure(t *testing.T) {
	const n = 100
	var begun atomic.Int64
	s := open(t, limited(t), func(_ context.Context, r functions.Request, _ job.OverloadPolicy) (functions.Response, error) {
		begun.Add(1)
		resp := numbered(r)
		resp.Result.OutputData = make([]byte, 1<<20)
		return resp, nil
	})
	go send(t, s, n)
	for last := int64(-1); last != begun.Load(); time.Sleep(200 * time.Millisecond) {
		last = begun.Load()
	}
	if got := begun.Load(); got == 0 || got > 3*parallelism {
		t.Errorf("%d items were begun while nothing was read", got)
	}
	if got := len(receive(t, s)); got != n {
		t.Errorf("%d responses to %d requests", got, n)
	}
}

func TestCancellationEndsTheWork(t *testing.T) {
	begun, ended := make(chan struct{}, parallelism), make(chan struct{}, parallelism)
	ctx, cancel := context.WithCancel(limited(t))
	s := open(t, ctx, func(ctx context.Context, _ functions.Request, _ job.OverloadPolicy) (functions.Response, error) {
		begun <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return nil, ctx.Err()
	})
	go send(t, s, parallelism)
	for range parallelism {
		<-begun
	}
	cancel()
	for range parallelism {
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatal("the work goes on")
		}
	}
}

func pngOf(t *testing.T) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, 20, 10))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPanicFailsOneItem runs real jobs. In one of them the processor panics.
func TestPanicFailsOneItem(t *testing.T) {
	p := resize.Processor
	p.Apply = func(ctx context.Context, r functions.Request, in functions.Input) (imaging.Encoded, functions.Response, error) {
		if r.(*request).GetTargetWidth() == 3 {
			panic("secret")
		}
		return resize.Processor.Apply(ctx, r, in)
	}
	s := open(t, limited(t), job.NewRunner(p, nil,
		job.NewAdmission(job.AdmissionLimits{Active: 2, DecodedBytes: 1 << 20, Cores: 2}),
		job.Config{MaxObjectBytes: 1 << 20, Limits: imaging.Limits{MaxSide: 100, MaxPixels: 1000}}).Run)
	encoded := pngOf(t)
	go func() {
		for width := int32(1); width <= 5; width++ {
			_ = s.Send(&request{InputBytes: encoded, TargetWidth: width, ExecutionId: fmt.Sprint(width)})
		}
		_ = s.CloseSend()
	}()
	all := receive(t, s)
	if len(all) != 5 {
		t.Fatalf("%d responses", len(all))
	}
	for i, r := range all {
		result := r.GetResult()
		if failed := result.GetStatus() == imageflowv1.ProcessingStatus_PROCESSING_STATUS_FAILED; failed != (i == 2) {
			t.Errorf("item %d: %v", i, r)
		}
		if i == 2 && (result.GetMessage() != "internal error" || result.GetMetadata()["error_code"] != "INTERNAL" ||
			result.GetMetadata()["execution_id"] != "3") {
			t.Errorf("the item is %v", result)
		}
	}
}

func TestUnaryFailsWithACode(t *testing.T) {
	c := client(t, func(_ context.Context, _ functions.Request, p job.OverloadPolicy) (functions.Response, error) {
		if p != job.FailFast {
			t.Error("a call is patient")
		}
		return nil, functions.Errorf(functions.Busy, "", "full")
	})
	_, err := c.ResizeImage(limited(t), &request{})
	if s := status.Convert(err); s.Code() != codes.ResourceExhausted || s.Message() != "full" || len(s.Details()) != 1 {
		t.Errorf("got %v with %v", err, s.Details())
	}
}

func TestHealthIsOneTruth(t *testing.T) {
	conn, healthy := serve(t, nil)
	c := imageflowv1.NewResizeServiceClient(conn)
	for _, want := range []healthpb.HealthCheckResponse_ServingStatus{
		healthpb.HealthCheckResponse_SERVING, healthpb.HealthCheckResponse_NOT_SERVING,
	} {
		healthy.SetServingStatus(resize.Processor.Service, want)
		for _, name := range []string{"", resize.Processor.Service} {
			got, err := c.Health(limited(t), &imageflowv1.HealthCheckRequest{Service: name})
			if err != nil || int32(got.GetStatus()) != int32(want) {
				t.Errorf("%q: got %v, %v, want %v", name, got.GetStatus(), err, want)
			}
		}
	}
	_, err := c.Health(limited(t), &imageflowv1.HealthCheckRequest{Service: "no.such.Service"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("an unknown service: %v", err)
	}
}

func TestReflectionKnowsTheService(t *testing.T) {
	conn, _ := serve(t, nil)
	s, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	ask := &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: resize.Processor.Service}
	if err := s.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: ask}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Recv(); err != nil || len(got.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

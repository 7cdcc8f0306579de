package gateway_test

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	_ "image/png"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"

	"imageflow.dev/functions"
	"imageflow.dev/functions/detect"
	"imageflow.dev/functions/filter"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/rpc"
	"imageflow.dev/internal/testing/grpctest"
	"imageflow.dev/internal/testing/stores"
)

const bucket = "pictures"

// models is the absolute path of the demo model: a store changes the working directory.
var models, _ = filepath.Abs("../../functions/detect/model/repository")

var demo = sync.OnceValues(func() (functions.Processor, error) {
	repository, err := inference.Open(context.Background(), models, inference.Options{
		Library: os.Getenv("ONNXRUNTIME_LIB"), Threads: 1, Accept: detect.Accept,
	})
	if err != nil {
		return functions.Processor{}, err
	}
	return detect.New(detect.NewModels(repository, "yolo")), nil
})

// system is a gateway with the three real processors and a store.
type system struct {
	url      string
	store    *objects.Store
	pipeline *gateway.Pipeline
	// before runs before each call of a processor. Its error refuses the call.
	before func(ctx context.Context, method string) error
}

func start(t *testing.T, edit ...func(*gateway.Pipeline)) *system {
	t.Helper()
	s := &system{before: func(context.Context, string) error { return nil }}
	_, s.store = stores.Start(t, stores.Local, bucket)
	detector, err := demo()
	if err != nil {
		t.Fatal(err)
	}
	conns := gateway.Processors{
		"resize": processor(t, s, resize.Processor), "detect": processor(t, s, detector), "filter": processor(t, s, filter.Processor),
	}
	s.pipeline = &gateway.Pipeline{Processors: conns, Store: s.store, MaxBytes: 1 << 20, Timeout: time.Minute}
	for _, e := range edit {
		e(s.pipeline)
	}
	handler, err := gateway.New(t.Context(), time.Minute, 1<<20, append(conns.Backends(), s.pipeline.Backend())...)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// processor serves a processor and returns a connection to it.
func processor(t *testing.T, s *system, p functions.Processor) *grpc.ClientConn {
	t.Helper()
	run := job.NewRunner(p, s.store, job.NewAdmission(job.AdmissionLimits{Queue: 8, Active: 4, DecodedBytes: 64 << 20, Cores: 2}),
		job.Config{Bucket: bucket, MaxObjectBytes: 1 << 20, Limits: imaging.Limits{MaxSide: 4000, MaxPixels: 4_000_000}}).Run
	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo,
		handle grpc.UnaryHandler) (any, error) {
		if err := s.before(ctx, info.FullMethod); err != nil {
			return nil, err
		}
		return handle(ctx, req)
	}))
	if err := (&rpc.Handler{Processor: p, Run: run, Health: health.NewServer()}).Register(server); err != nil {
		t.Fatal(err)
	}
	return grpctest.Serve(t, server)
}

func jpegOf(t *testing.T, width, height int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = byte(i * i / 7)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// describe returns the format and the width of an image.
func describe(t *testing.T, data []byte) (format string, width int) {
	t.Helper()
	c, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		t.Errorf("%v: %.80q", err, data)
	}
	return format, c.Width
}

func (s *system) put(t *testing.T, key string, data []byte) objects.Info {
	t.Helper()
	info, err := s.store.Put(t.Context(), bucket, key, "image/jpeg", data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func (s *system) get(t *testing.T, key string) []byte {
	t.Helper()
	data, _, err := s.store.Get(t.Context(), bucket, key, "", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (s *system) keys(t *testing.T) (keys []string) {
	t.Helper()
	for o, err := range s.store.Walk(t.Context(), bucket, "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

package inference_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"imageflow.dev/internal/inference"
	kserve "imageflow.dev/proto/inference"
)

// scripted is a server with the model "m", whose responses a test can change. The
// model has the input x and the output y.
type scripted struct {
	kserve.UnimplementedGRPCInferenceServiceServer
	unready  bool
	metadata func(*kserve.ModelMetadataResponse) error
	infer    func(ctx context.Context, call int64, r *kserve.ModelInferResponse) error
	calls    atomic.Int64
}

func (s *scripted) ServerReady(context.Context, *kserve.ServerReadyRequest) (*kserve.ServerReadyResponse, error) {
	return &kserve.ServerReadyResponse{Ready: !s.unready}, nil
}

func (s *scripted) ModelMetadata(context.Context, *kserve.ModelMetadataRequest) (*kserve.ModelMetadataResponse, error) {
	type tensor = kserve.ModelMetadataResponse_TensorMetadata
	r := &kserve.ModelMetadataResponse{
		Name: "m", Versions: []string{"9", "10"},
		Inputs:  []*tensor{{Name: "x", Datatype: "FP32", Shape: []int64{2}}},
		Outputs: []*tensor{{Name: "y", Datatype: "FP32", Shape: []int64{1}}},
	}
	if s.metadata == nil {
		return r, nil
	}
	return r, s.metadata(r)
}

func (s *scripted) ModelInfer(ctx context.Context, _ *kserve.ModelInferRequest) (*kserve.ModelInferResponse, error) {
	r := &kserve.ModelInferResponse{
		ModelName: "m", ModelVersion: "10",
		Outputs:           []*kserve.ModelInferResponse_InferOutputTensor{{Name: "y", Datatype: "FP32", Shape: []int64{1}}},
		RawOutputContents: [][]byte{{0, 0, 0x80, 0x3f}}, // 1
	}
	call := s.calls.Add(1)
	if s.infer == nil {
		return r, nil
	}
	return r, s.infer(ctx, call, r)
}

// dial starts the server and returns its client, with a time limit for calls.
func (s *scripted) dial(t *testing.T, limit time.Duration) *inference.Triton {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	kserve.RegisterGRPCInferenceServiceServer(server, s)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	r, err := inference.Dial(listener.Addr().String(), limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// TestTriton_needsNoExtensions: ModelConfig is an extension of Triton. The version in
// use is the highest.
func TestTriton_needsNoExtensions(t *testing.T) {
	m := modelOf(t, (&scripted{}).dial(t, soon), "m")
	if info := m.Info(); info.Version != "10" || len(info.Metadata) != 0 {
		t.Errorf("info %+v, want version 10 without metadata", info)
	}
	err := m.Infer(t.Context(), []inference.Tensor{numbers(2)}, func(outputs []inference.Tensor) error {
		if outputs[0].Data[0] != 1 {
			t.Errorf("got %v, want 1", outputs)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTriton_retriesOnlyUnavailable(t *testing.T) {
	for code, want := range map[codes.Code]struct {
		calls       int64
		unavailable bool
	}{
		codes.Unavailable: {3, true}, codes.Canceled: {1, true}, codes.DeadlineExceeded: {1, true},
		codes.Internal: {1, false}, codes.InvalidArgument: {1, false}, codes.ResourceExhausted: {1, false}, codes.NotFound: {1, false},
	} {
		s := &scripted{infer: func(context.Context, int64, *kserve.ModelInferResponse) error {
			return status.Error(code, "scripted")
		}}
		m := modelOf(t, s.dial(t, soon), "m")
		err := m.Infer(t.Context(), []inference.Tensor{numbers(2)}, nil)
		if got := errors.Is(err, inference.ErrUnavailable); err == nil || got != want.unavailable || s.calls.Load() != want.calls {
			t.Errorf("%v: %v after %d calls, want unavailable %t after %d", code, err, s.calls.Load(), want.unavailable, want.calls)
		}
	}
	s := &scripted{infer: func(_ context.Context, call int64, _ *kserve.ModelInferResponse) error {
		if call < 3 {
			return status.Error(codes.Unavailable, "scripted")
		}
		return nil
	}}
	use := func([]inference.Tensor) error { return nil }
	if err := modelOf(t, s.dial(t, soon), "m").Infer(t.Context(), []inference.Tensor{numbers(2)}, use); err != nil {
		t.Errorf("third attempt succeeded, but Infer returned %v", err)
	}
}

func TestTriton_limitsCalls(t *testing.T) {
	s := &scripted{infer: func(ctx context.Context, _ int64, _ *kserve.ModelInferResponse) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	err := modelOf(t, s.dial(t, time.Second), "m").Infer(t.Context(), []inference.Tensor{numbers(2)}, nil)
	unavailable := errors.Is(err, inference.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded)
	if !unavailable || !strings.Contains(err.Error(), "within 1s") {
		t.Errorf("got %v, want ErrUnavailable and the limit", err)
	}
}

// TestTriton_isUnavailableWhileLoading: a server that is not ready may still load the
// model.
func TestTriton_isUnavailableWhileLoading(t *testing.T) {
	s := &scripted{unready: true, metadata: func(*kserve.ModelMetadataResponse) error {
		return status.Error(codes.NotFound, "scripted")
	}}
	_, err := s.dial(t, soon).Model(t.Context(), "m", "")
	if !errors.Is(err, inference.ErrUnavailable) || errors.Is(err, inference.ErrNotFound) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

// TestTriton_fetchesMetadataAgain: after the TTL, Model returns the changed model, the
// same Model if nothing changed, or ErrNotFound if it was removed.
func TestTriton_fetchesMetadataAgain(t *testing.T) {
	var answer func(*kserve.ModelMetadataResponse) error
	s := &scripted{metadata: func(r *kserve.ModelMetadataResponse) error { return answer(r) }}
	version := func(v string) func(*kserve.ModelMetadataResponse) error {
		return func(r *kserve.ModelMetadataResponse) error { r.Versions = []string{v}; return nil }
	}
	r := s.dial(t, soon)
	answer = version("1")
	first := modelOf(t, r, "m")
	answer = version("2")
	if modelOf(t, r, "m") != first {
		t.Error("the metadata was fetched before the TTL")
	}
	r.SetMetadataTTL(0)
	second := modelOf(t, r, "m")
	if second.Info().Version != "2" {
		t.Errorf("info %+v, want version 2", second.Info())
	}
	if modelOf(t, r, "m") != second {
		t.Error("Model returned another Model although nothing changed")
	}
	answer = func(*kserve.ModelMetadataResponse) error { return status.Error(codes.NotFound, "scripted") }
	if _, err := r.Model(t.Context(), "m", ""); !errors.Is(err, inference.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestTriton_rejectsInvalidMetadata(t *testing.T) {
	for want, spoil := range map[string]func(*kserve.ModelMetadataResponse){
		"inputs must be of FP32":  func(r *kserve.ModelMetadataResponse) { r.Inputs[0].Datatype = "BOOL" },
		"no input":                func(r *kserve.ModelMetadataResponse) { r.Inputs = nil },
		"outputs must be of FP32": func(r *kserve.ModelMetadataResponse) { r.Outputs[0].Datatype = "BYTES" },
		"no output":               func(r *kserve.ModelMetadataResponse) { r.Outputs = nil },
	} {
		s := &scripted{metadata: func(r *kserve.ModelMetadataResponse) error { spoil(r); return nil }}
		_, err := s.dial(t, soon).Model(t.Context(), "m", "")
		var refused *inference.RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"m"`) {
			t.Errorf("got %v, want an error that contains \"m\" and %q", err, want)
		}
	}
}

// TestTriton_rejectsInvalidOutputs: use is not called for contradictory responses.
func TestTriton_rejectsInvalidOutputs(t *testing.T) {
	for want, spoil := range map[string]func(*kserve.ModelInferResponse){
		"of shape [2] has 4 bytes":     func(r *kserve.ModelInferResponse) { r.Outputs[0].Shape = []int64{2} },
		"of shape [-1 -1] has 4 bytes": func(r *kserve.ModelInferResponse) { r.Outputs[0].Shape = []int64{-1, -1} },
		"of shape [4294967297 4294967297] has": func(r *kserve.ModelInferResponse) {
			r.Outputs[0].Shape = []int64{1<<32 + 1, 1<<32 + 1}
		},
		"is of type BOOL":           func(r *kserve.ModelInferResponse) { r.Outputs[0].Datatype = "BOOL" },
		"of shape [1] has 4 bytes":  func(r *kserve.ModelInferResponse) { r.Outputs[0].Datatype = "FP16" },
		`"y" is missing or not raw`: func(r *kserve.ModelInferResponse) { r.RawOutputContents = nil },
		`"y" is missing`:            func(r *kserve.ModelInferResponse) { r.Outputs[0].Name = "z" },
		`version "9" ran, not "10"`: func(r *kserve.ModelInferResponse) { r.ModelVersion = "9" },
	} {
		s := &scripted{infer: func(_ context.Context, _ int64, r *kserve.ModelInferResponse) error { spoil(r); return nil }}
		err := modelOf(t, s.dial(t, soon), "m").Infer(t.Context(), []inference.Tensor{numbers(2)}, func([]inference.Tensor) error {
			t.Errorf("%s: use was called", want)
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"m"`) {
			t.Errorf("got %v, want an error that contains \"m\" and %q", err, want)
		}
	}
}

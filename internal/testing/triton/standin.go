package triton

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"

	"github.com/x448/float16"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"

	"imageflow.dev/internal/inference"
	kserve "imageflow.dev/proto/inference"
)

// standIn imitates Triton as far as the tests need it. Like Triton, it does not
// report the metadata of ONNX files.
type standIn struct {
	kserve.UnimplementedGRPCInferenceServiceServer
	repository string
	models     *inference.Folder
}

func startStandIn(address, repository string) (stop func(), err error) {
	options := inference.Options{Library: os.Getenv("ONNXRUNTIME_LIB"), Threads: 1, Versions: 4}
	models, err := inference.Open(context.Background(), repository, options)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, errors.Join(err, models.Close())
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(1 << 30))
	kserve.RegisterGRPCInferenceServiceServer(server, &standIn{repository: repository, models: models})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	return func() {
		server.Stop()
		<-ended
		_ = models.Close()
	}, nil
}

func (s *standIn) ServerLive(context.Context, *kserve.ServerLiveRequest) (*kserve.ServerLiveResponse, error) {
	return &kserve.ServerLiveResponse{Live: true}, nil
}

func (s *standIn) ServerReady(context.Context, *kserve.ServerReadyRequest) (*kserve.ServerReadyResponse, error) {
	return &kserve.ServerReadyResponse{Ready: true}, nil
}

func (s *standIn) ModelReady(ctx context.Context, r *kserve.ModelReadyRequest) (*kserve.ModelReadyResponse, error) {
	_, err := s.model(ctx, r.GetName(), r.GetVersion())
	return &kserve.ModelReadyResponse{Ready: err == nil}, nil
}

func (s *standIn) ModelMetadata(ctx context.Context, r *kserve.ModelMetadataRequest) (*kserve.ModelMetadataResponse, error) {
	m, err := s.model(ctx, r.GetName(), r.GetVersion())
	if err != nil {
		return nil, err
	}
	type tensor = kserve.ModelMetadataResponse_TensorMetadata
	info := m.Info()
	resp := &kserve.ModelMetadataResponse{
		Name: info.Name, Versions: []string{info.Version}, Platform: "stand-in",
	}
	for _, in := range info.Inputs {
		resp.Inputs = append(resp.Inputs, &tensor{Name: in.Name, Datatype: string(in.Type), Shape: in.Shape})
	}
	for i, name := range info.OutputNames {
		resp.Outputs = append(resp.Outputs, &tensor{Name: name, Datatype: "FP32", Shape: info.Outputs[i]})
	}
	return resp, nil
}

func (s *standIn) ModelConfig(ctx context.Context, r *kserve.ModelConfigRequest) (*kserve.ModelConfigResponse, error) {
	if _, err := s.model(ctx, r.GetName(), r.GetVersion()); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(s.repository, r.GetName(), "config.pbtxt"))
	if err != nil {
		return nil, err
	}
	config := &kserve.ModelConfig{}
	return &kserve.ModelConfigResponse{Config: config}, prototext.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, config)
}

func (s *standIn) RepositoryIndex(
	ctx context.Context, _ *kserve.RepositoryIndexRequest,
) (*kserve.RepositoryIndexResponse, error) {
	list, err := s.models.List(ctx)
	resp := &kserve.RepositoryIndexResponse{}
	for _, l := range list {
		for _, version := range l.Available { // others are not loaded
			index := &kserve.RepositoryIndexResponse_ModelIndex{Name: l.Name, Version: version, State: "READY"}
			if l.Reason != "" {
				index.State, index.Reason = "UNAVAILABLE", l.Reason
			}
			resp.Models = append(resp.Models, index)
		}
	}
	return resp, err
}

func (s *standIn) ModelInfer(ctx context.Context, r *kserve.ModelInferRequest) (*kserve.ModelInferResponse, error) {
	m, err := s.model(ctx, r.GetModelName(), r.GetModelVersion())
	if err != nil {
		return nil, err
	}
	inputs, err := tensors(m.Info(), r)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	resp := &kserve.ModelInferResponse{ModelName: m.Info().Name, ModelVersion: m.Info().Version}
	return resp, m.Infer(ctx, inputs, func(outputs []inference.Tensor) error {
		for i, out := range outputs {
			raw, err := binary.Append(nil, binary.LittleEndian, out.Data)
			if err != nil {
				return err
			}
			resp.Outputs = append(resp.Outputs, &kserve.ModelInferResponse_InferOutputTensor{
				Name: m.Info().OutputNames[i], Datatype: "FP32", Shape: out.Shape,
			})
			resp.RawOutputContents = append(resp.RawOutputContents, raw)
		}
		return nil
	})
}

func (s *standIn) model(ctx context.Context, name, version string) (inference.Model, error) {
	m, err := s.models.Model(ctx, name, version)
	if err != nil {
		return nil, status.Errorf(codes.NotFound, "Request for unknown model: '%s' is not found", name)
	}
	return m, nil
}

// tensors decodes the inputs of a request, in the order of the model, and rejects those that do
// not fit it.
func tensors(info inference.Info, r *kserve.ModelInferRequest) (all []inference.Tensor, err error) {
	if len(r.GetInputs()) != len(info.Inputs) || len(r.GetRawInputContents()) != len(info.Inputs) {
		return nil, fmt.Errorf("the request must have %d raw inputs", len(info.Inputs))
	}
	for i, want := range info.Inputs {
		in, raw := r.GetInputs()[i], r.GetRawInputContents()[i]
		n, fits := int64(1), len(in.GetShape()) == len(want.Shape)
		for k, dim := range in.GetShape() {
			n *= dim
			fits = fits && (dim == want.Shape[k] || want.Shape[k] == -1)
		}
		numbers, err := decode(raw, want.Type)
		if !fits || err != nil || in.GetName() != want.Name || in.GetDatatype() != string(want.Type) || n != int64(len(numbers)) {
			return nil, fmt.Errorf("unexpected input %v of %d bytes: expected %v", in, len(raw), want)
		}
		all = append(all, inference.Tensor{Shape: in.GetShape(), Data: numbers})
	}
	return all, nil
}

// decode decodes the numbers of an input.
func decode(raw []byte, t inference.ElementType) (numbers []float32, err error) {
	for rest := raw; len(rest) > 0 && err == nil; {
		var v float32
		switch {
		case t == inference.Float32 && len(rest) >= 4:
			v, rest = math.Float32frombits(binary.LittleEndian.Uint32(rest)), rest[4:]
		case t == inference.Float16 && len(rest) >= 2:
			v, rest = float16.Frombits(binary.LittleEndian.Uint16(rest)).Float32(), rest[2:]
		case t == inference.Int64 && len(rest) >= 8:
			v, rest = float32(int64(binary.LittleEndian.Uint64(rest))), rest[8:]
		case t == inference.Uint8:
			v, rest = float32(rest[0]), rest[1:]
		default:
			err = fmt.Errorf("%d bytes of %s", len(rest), t)
		}
		numbers = append(numbers, v)
	}
	return numbers, err
}

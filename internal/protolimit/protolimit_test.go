package protolimit_test

import (
	"bytes"
	"context"
	"net"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	encodingproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/protolimit"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// raw is a codec that sends bytes unchanged.
type raw struct{ encoding.CodecV2 }

func (c raw) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.([]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// pipeline answers with the number of steps and the image.
type pipeline struct {
	imageflowv1.UnimplementedPipelineServiceServer
	imageflowv1.UnimplementedResizeServiceServer
}

func (pipeline) RunPipeline(_ context.Context, r *imageflowv1.RunPipelineRequest) (*imageflowv1.RunPipelineResponse, error) {
	return &imageflowv1.RunPipelineResponse{ExecutionId: r.GetExecutionId(), OutputData: r.GetInputBytes()}, nil
}

func (pipeline) ResizeImageStream(s imageflowv1.ResizeService_ResizeImageStreamServer) error {
	for {
		if _, err := s.Recv(); err != nil {
			return err
		}
		if err := s.Send(&imageflowv1.ResizeResponse{}); err != nil {
			return err
		}
	}
}

func dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(100<<20), protolimit.Codec(), grpc.ChainStreamInterceptor(protolimit.Stream))
	services := protolimit.Registrar(server)
	imageflowv1.RegisterPipelineServiceServer(services, pipeline{})
	imageflowv1.RegisterResizeServiceServer(services, pipeline{})
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{encoding.GetCodecV2(encodingproto.Name)}), grpc.MaxCallRecvMsgSize(100<<20)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func field(number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
}

func nested(depth int) []byte {
	var m []byte
	for range depth {
		m = append(protowire.AppendTag(nil, 99, protowire.StartGroupType), m...)
		m = protowire.AppendTag(m, 99, protowire.EndGroupType)
	}
	return m
}

var hostile = []struct {
	name     string
	message  []byte
	contains string
}{
	{"steps", bytes.Repeat(field(4, nil), 2<<20), "more than 4000 fields"},
	{"steps after an image", append(field(2, make([]byte, 1<<20)), bytes.Repeat(field(4, nil), 1<<20)...), "more than 4000 fields"},
	{"steps with a request", bytes.Repeat(field(4, field(3, nil)), 1<<20), "more than 4000 fields"},
	{"entries of a map", field(4, field(3, bytes.Repeat(field(4, nil), 1<<20))), "more than 4000 fields"},
	{"the same field again and again", bytes.Repeat(field(3, nil), 1<<20), "more than 4000 fields"},
	{"unknown fields", bytes.Repeat(field(99, nil), 1<<20), "more than 4000 fields"},
	{"a long unknown field", field(99, make([]byte, 1<<20)), "longer than 262144 bytes"},
	{"a long text", field(3, bytes.Repeat([]byte("x"), 1<<20)), "longer than 262144 bytes"},
	{"an image in a step", field(4, field(1, field(7, make([]byte, 1<<20)))), "longer than 262144 bytes"},
	{"unknown groups", bytes.Repeat(nested(5), 1<<18), "more than 4000 fields"},
	{"deep groups", nested(20000), "not valid protobuf"},
	{"no protobuf", []byte("dear diary"), "not valid protobuf"},
	{"cut", field(3, []byte("abc"))[:3], "not valid protobuf"},
	{"no UTF-8", field(3, []byte("\xff")), "not valid protobuf"},
}

func TestCodec_refusesHostileMessagesWithoutDecoding(t *testing.T) {
	conn := dial(t)
	for _, c := range hostile {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := conn.Invoke(t.Context(), imageflowv1.PipelineService_RunPipeline_FullMethodName, c.message,
			&imageflowv1.RunPipelineResponse{})
		runtime.ReadMemStats(&after)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), c.contains) {
			t.Errorf("%s: %v, want %q", c.name, err, c.contains)
		}
		// Client and server hold the message, and the frames that carry it.
		if took, most := after.TotalAlloc-before.TotalAlloc, uint64(8*len(c.message)+4<<20); took > most {
			t.Errorf("%s: a message of %d bytes took %d bytes of memory", c.name, len(c.message), took)
		}
	}
}

func TestStream_reportsRefusals(t *testing.T) {
	conn := dial(t)
	for _, c := range hostile[5:7] {
		s, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
			imageflowv1.ResizeService_ResizeImageStream_FullMethodName)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SendMsg(c.message); err != nil {
			t.Fatal(err)
		}
		if err := s.RecvMsg(&imageflowv1.ResizeResponse{}); status.Code(err) != codes.InvalidArgument ||
			!strings.Contains(err.Error(), c.contains) {
			t.Errorf("%s: %v, want %q", c.name, err, c.contains)
		}
	}
}

func TestCodec_acceptsLargeImagesAndLargestRequests(t *testing.T) {
	client := imageflowv1.NewPipelineServiceClient(dial(t))
	req := &imageflowv1.RunPipelineRequest{ExecutionId: strings.Repeat("x", 900), InputBytes: make([]byte, 8<<20)}
	for range 16 {
		parameters := map[string]string{}
		for i := range 16 {
			parameters[strings.Repeat("p", i)] = "1"
		}
		req.Steps = append(req.Steps, &imageflowv1.PipelineStep{Processor: &imageflowv1.PipelineStep_Filter{
			Filter: &imageflowv1.FilterRequest{Intensity: 1, Parameters: parameters},
		}})
	}
	got, err := client.RunPipeline(t.Context(), req)
	want := &imageflowv1.RunPipelineResponse{ExecutionId: req.GetExecutionId(), OutputData: req.GetInputBytes()}
	if err != nil || !proto.Equal(got, want) {
		t.Errorf("got an image of %d bytes, %v", len(got.GetOutputData()), err)
	}
}

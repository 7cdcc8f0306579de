package role_test

import (
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// TestReflection_hasNoExtensions: some readers of descriptors, such as protobuf.js, fail at the contract's extensions.
func TestReflection_hasNoExtensions(t *testing.T) {
	t.Setenv("HOST", "127.0.0.1")
	t.Setenv("PORT", "0")
	t.Setenv("DRAIN_DELAY", "0s")
	address, end := run(t, "gateway")
	defer func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	}()
	methods, fields := 0, 0
	for _, file := range reflected(t, address, "imageflow.v1.PipelineService") {
		if len(file.Extension) > 0 {
			t.Errorf("%s defines extensions", file.GetName())
		}
		for _, service := range file.Service {
			for _, method := range service.Method {
				methods++
				checkPlain(t, method.GetName(), method.GetOptions())
			}
		}
		for _, message := range file.MessageType {
			checkPlain(t, message.GetName(), message.GetOptions())
			for _, field := range message.Field {
				fields++
				checkPlain(t, message.GetName()+"."+field.GetName(), field.GetOptions())
			}
		}
	}
	if methods == 0 || fields < 100 {
		t.Errorf("%d methods and %d fields", methods, fields)
	}
}

func checkPlain(t *testing.T, name string, options proto.Message) {
	t.Helper()
	if proto.Size(options) > 0 {
		t.Errorf("%s has the options %v", name, options)
	}
}

// reflected returns the file of a service and the files that it needs.
func reflected(t *testing.T, address, service string) []*descriptorpb.FileDescriptorProto {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.Send(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service},
	})
	answer, err := stream.Recv() // also returns the error of Send
	if err != nil {
		t.Fatal(err)
	}
	var files []*descriptorpb.FileDescriptorProto
	for _, encoded := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := new(descriptorpb.FileDescriptorProto)
		if err := proto.Unmarshal(encoded, file); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

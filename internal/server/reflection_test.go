package server_test

import (
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
)

// TestReflection_describesWhatItLists: a client that asks for each service of the list fails at the first
// without a descriptor.
func TestReflection_describesWhatItLists(t *testing.T) {
	address, stop, _, _, _ := start(t)
	defer stop()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(r *reflectionpb.ServerReflectionRequest) *reflectionpb.ServerReflectionResponse {
		t.Helper()
		if err := stream.Send(r); err != nil {
			t.Fatal(err)
		}
		answer, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	listed := ask(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
	described := 0
	for _, service := range listed.GetListServicesResponse().GetService() {
		symbol := &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service.GetName()}
		if answer := ask(&reflectionpb.ServerReflectionRequest{MessageRequest: symbol}); answer.GetErrorResponse() != nil {
			t.Errorf("%s: %v", service.GetName(), answer.GetErrorResponse())
			continue
		}
		described++
	}
	if described < 3 {
		t.Errorf("%d services are described, want those of health and of both versions of reflection", described)
	}
}

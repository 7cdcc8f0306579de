package gateway_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"imageflow.dev/internal/server"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// busyResize is busy four times for each call, by its target width.
type busyResize struct {
	imageflowv1.UnimplementedResizeServiceServer
	attempts [20]atomic.Int64
}

func (b *busyResize) ResizeImage(_ context.Context, r *imageflowv1.ResizeRequest) (*imageflowv1.ResizeResponse, error) {
	if b.attempts[r.GetTargetWidth()].Add(1) < 5 {
		s, err := status.New(codes.ResourceExhausted, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(1e6)})
		if err != nil {
			return nil, err
		}
		return nil, s.Err()
	}
	return &imageflowv1.ResizeResponse{}, nil
}

// TestServiceConfig: with the published service config, 20 parallel calls of a server that is busy four times are all done.
func TestServiceConfig(t *testing.T) {
	resp, config := ask(t, "GET", before(t, "127.0.0.1:1")+"/service-config.json", "")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	rpc := server.NewRPC(server.RPCConfig{})
	imageflowv1.RegisterResizeServiceServer(rpc, &busyResize{})
	listen := server.Config{Address: "127.0.0.1:0", BodyBytes: 1 << 20}
	s, err := server.Listen(listen, rpc, http.NotFoundHandler(), health.NewServer())
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Run(t.Context()) }()
	conn, err := grpc.NewClient(s.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(config))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	errs := make(chan error)
	for i := range 20 {
		go func() {
			_, err := imageflowv1.NewResizeServiceClient(conn).ResizeImage(t.Context(), &imageflowv1.ResizeRequest{TargetWidth: int32(i)})
			errs <- err
		}()
	}
	for range 20 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

package role_test

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestGatewayAsAGRPCServer: gRPC clients reach the services of the gateway, health and reflection
// on the same port. All but health require the token, as JSON does.
func TestGatewayAsAGRPCServer(t *testing.T) {
	config, store := stores.Start(t, stores.Local, "images", "imageflow-dead-letters")
	for name, value := range map[string]string{
		"HOST": "127.0.0.1", "PORT": "0", "DRAIN_DELAY": "0s", "MINIO_BUCKET": "images",
		"MINIO_ENDPOINT": config.Endpoint, "MINIO_ACCESS_KEY": config.AccessKey, "MINIO_SECRET_KEY": config.SecretKey,
		"EVENT_SIGNING_KEYS": signingKey,
	} {
		t.Setenv(name, value)
	}
	placeImage(t, store)
	resize, endResize := run(t, "resize")
	t.Setenv("RESIZE_GRPC_ENDPOINT", resize)
	t.Setenv("GATEWAY_TOKEN", "the-gateway-token")
	address, end := run(t, "gateway")
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	checkServices(t, conn)
	checkOpen(t, conn, address)
	conn.Close()
	if err := end(); err != nil {
		t.Error(err)
	}
	if err := endResize(); err != nil {
		t.Error(err)
	}
}

// placeImage puts cat.png into the bucket.
func placeImage(t *testing.T, store *objects.Store) {
	t.Helper()
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, image.NewGray(image.Rect(0, 0, 64, 48))); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), "images", "cat.png", "image/png", encoded.Bytes(), nil); err != nil {
		t.Fatal(err)
	}
}

// checkServices calls the gateway's own services, with and without the token.
func checkServices(t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	request := &imageflowv1.RunPipelineRequest{
		InputImage: &imageflowv1.ImageData{ObjectKey: "cat.png"}, Inline: true,
		Steps: []*imageflowv1.PipelineStep{
			{Processor: &imageflowv1.PipelineStep_Resize{Resize: &imageflowv1.ResizeRequest{TargetWidth: 16}}},
		},
	}
	pipeline := imageflowv1.NewPipelineServiceClient(conn)
	if _, err := pipeline.RunPipeline(t.Context(), request); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without the token: %v", err)
	}
	ctx := withToken(t)
	if _, err := pipeline.RunPipeline(ctx, request, grpc.UseCompressor(gzip.Name)); status.Code(err) != codes.Unimplemented {
		t.Errorf("compressed: %v", err) // an exporter links the codec
	}
	resp, err := pipeline.RunPipeline(ctx, request)
	if err != nil || len(resp.GetOutputData()) == 0 || resp.GetOutputImage().GetObjectKey() != "cat.png_resize.png" {
		t.Errorf("answered %v, %v", resp, err)
	}
	client := imageflowv1.NewExecutionServiceClient(conn)
	found, err := client.GetExecution(ctx, &imageflowv1.GetExecutionRequest{ExecutionId: "cat.png"})
	if err != nil || len(found.GetSteps()) != 1 {
		t.Errorf("the execution: %v, %v", found, err)
	}
}

func withToken(t *testing.T) context.Context {
	return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer the-gateway-token")
}

// listServices lists the services.
func listServices(ctx context.Context, conn *grpc.ClientConn) (string, error) {
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = stream.CloseSend() }()
	_ = stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
	listed, err := stream.Recv() // also returns the error of Send
	return listed.String(), err
}

// checkOpen checks that health needs no token, and that JSON needs one.
func checkOpen(t *testing.T, conn *grpc.ClientConn, address string) {
	t.Helper()
	for _, service := range []string{"", "imageflow.v1.PipelineService", "imageflow.v1.ExecutionService"} {
		healthy, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil || healthy.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v, %v", service, healthy, err)
		}
	}
	if _, err := listServices(t.Context(), conn); status.Code(err) != codes.Unauthenticated {
		t.Errorf("reflection without the token: %v", err)
	}
	if listed, err := listServices(withToken(t), conn); err != nil || !strings.Contains(listed, "imageflow.v1.PipelineService") {
		t.Errorf("reflection: %v, %v", listed, err)
	}
	for path, want := range map[string]int{
		"/health/liveness": 200, "/health/readiness": 200, "/openapi.json": 200, "/proto": 200, "/v1/health/resize": 200,
		"/v1/executions/cat": 401,
	} {
		resp, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
}

// TestGateway_eventsNeedTheToken: with an issuer, the gateway refuses events without a token, before it reads them. JSON
// calls need none.
func TestGateway_eventsNeedTheToken(t *testing.T) {
	for name, value := range map[string]string{
		"HOST": "127.0.0.1", "PORT": "0", "DRAIN_DELAY": "0s", "ALLOW_UNSIGNED_EVENTS": "true",
		"OIDC_AUDIENCE": "image-processing/grpc-gateway", "OIDC_SUBJECTS": "system:serviceaccount:image-processing:*",
	} {
		t.Setenv(name, value)
	}
	for issuer, want := range map[string]int{"": http.StatusBadRequest, "https://127.0.0.1:1": http.StatusUnauthorized} {
		t.Setenv("OIDC_ISSUER", issuer)
		address, end := run(t, "gateway")
		checkStatus(t, http.MethodPost, "http://"+address+"/?pipeline=avatar", want)
		checkStatus(t, http.MethodGet, "http://"+address+"/v1/chains", http.StatusNotImplemented)
		if err := end(); err != nil {
			t.Error(err)
		}
	}
}

func checkStatus(t *testing.T, method, url string, want int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != want {
		t.Errorf("%s %s is answered %s, want %d", method, url, resp.Status, want)
	}
}

package role

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/server"
	"imageflow.dev/internal/telemetry"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// noStore says what a gateway without a store lacks.
const noStore = "MINIO_ENDPOINT is not set for the gateway"

// listenGateway puts JSON before the processors, and JSON and gRPC before the
// services that the gateway has of its own.
func listenGateway(ctx context.Context, c *GatewayConfig, t *telemetry.Tracing) (Process, error) {
	processors, err := c.dial(t)
	if err != nil {
		return nil, err
	}
	var store *objects.Store
	if c.Endpoint != "" {
		if store, err = c.open(); err != nil {
			return nil, err
		}
	}
	executions := &gateway.Executions{
		Store: store, Missing: "executions are not looked up here: " + noStore,
		DeadLetters: execution.NewDeadLetterStore(store, c.DeadLetters), Bucket: c.Bucket, ReadFrom: c.ReadFrom,
	}
	pipeline := &gateway.Pipeline{
		Processors: processors, Store: store, Missing: "no written picture is read here: " + noStore,
		Bucket: c.Bucket, ReadFrom: c.ReadFrom, MaxBytes: c.BodyBytes, Timeout: c.Timeout,
	}
	backends := []gateway.Backend{executions.Backend(), pipeline.Backend()}
	for name, conn := range processors {
		backends = append(backends, gateway.Backend{Register: gateway.Services[name], Conn: conn})
	}
	json, err := gateway.New(ctx, c.Timeout, c.BodyBytes, backends...)
	if err != nil {
		return nil, err
	}
	return c.listen(t, json, executions, pipeline)
}

// soon is grpc's backoff, but for the longest wait: a processor that is back
// after two minutes is not left alone for two more.
var soon = backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second}

// dial connects to the processors; it does not wait for them.
func (c *GatewayConfig) dial(t *telemetry.Tracing) (map[string]*grpc.ClientConn, error) {
	conns := map[string]*grpc.ClientConn{}
	for name, endpoint := range map[string]string{"resize": c.Resize, "detect": c.Detect, "filter": c.Filter} {
		conn, err := grpc.NewClient(endpoint,
			grpc.WithTransportCredentials(insecure.NewCredentials()), t.Client(),
			grpc.WithChainUnaryInterceptor(server.ReserveJSON, gateway.MeasureOverhead),
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: soon, MinConnectTimeout: 5 * time.Second}),
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(int(c.BodyBytes)), grpc.MaxCallSendMsgSize(int(c.BodyBytes))))
		if err != nil {
			return nil, err
		}
		conns[name] = conn
	}
	return conns, nil
}

func (c *GatewayConfig) listen(
	t *telemetry.Tracing, json http.Handler, executions *gateway.Executions, pipeline *gateway.Pipeline,
) (*server.Server, error) {
	healthy := serving(imageflowv1.ExecutionService_ServiceDesc.ServiceName, imageflowv1.PipelineService_ServiceDesc.ServiceName)
	services := server.NewRPC(server.RPCConfig{MaxReceiveBytes: int(c.BodyBytes), Options: []grpc.ServerOption{t.Server()}})
	imageflowv1.RegisterExecutionServiceServer(services, executions)
	imageflowv1.RegisterPipelineServiceServer(services, pipeline)
	config := c.serve("gateway", c.BodyBytes/2)
	config.AnswerBytes = c.BodyBytes // at most two of the largest answers, as JSON
	config.Authorize = gateway.Token(c.Token).Authorize
	for _, conn := range pipeline.Processors {
		config.Closers = append(config.Closers, conn)
	}
	config.Guard = func(next http.Handler) http.Handler {
		next = gateway.CORS(c.Origins, next)
		if c.Guard != nil {
			next = c.Guard(next)
		}
		return next
	}
	return server.Listen(config, services, t.JSON(json), healthy)
}

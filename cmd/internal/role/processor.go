package role

import (
	"context"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/test/bufconn"

	"imageflow.dev/functions"
	"imageflow.dev/internal/event"
	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/protolimit"
	"imageflow.dev/internal/rpc"
	"imageflow.dev/internal/server"
	"imageflow.dev/internal/telemetry"
)

// jsonTimeout bounds a JSON call at a processor's own port, as Knative bounds
// every request.
const jsonTimeout = 5 * time.Minute

// service is a gRPC service beside a processor's own.
type service struct {
	desc *grpc.ServiceDesc
	impl any
}

// processor puts a processor behind its three doors on one port, and services
// beside it.
func processor(c ProcessorConfig, t *telemetry.Tracing, p functions.Processor, beside ...service) (*server.Server, error) {
	if err := imaging.Start(); err != nil {
		return nil, err
	}
	store, err := c.Store.open()
	if err != nil {
		return nil, err
	}
	signer, err := c.Signer()
	if err != nil {
		return nil, err
	}
	admission := c.Work.admission()
	run := job.NewRunner(p, store, admission, job.Config{
		Bucket: c.Bucket, ReadFrom: c.ReadFrom, WriteTo: c.WriteTo, MaxObjectBytes: c.ObjectBytes, Timeout: c.JobTimeout, Limits: imaging.Limits{MaxSide: c.Side, MaxPixels: c.Pixels, Strict: c.Strict},
	}).Run
	healthy := serving(p.Service)

	grpcServer := grpc.NewServer(grpc.MaxRecvMsgSize(c.messageBytes()), grpc.MaxSendMsgSize(c.messageBytes()),
		protolimit.Codec(), grpc.ChainUnaryInterceptor(server.AwaitPlace), grpc.ChainStreamInterceptor(server.OneByOne, protolimit.Stream), t.Server())
	services := protolimit.Registrar(grpcServer)
	door := &rpc.Door{Processor: p, Run: run, Health: healthy, StreamParallelism: admission.Parallelism()}
	if err := door.Register(services); err != nil {
		return nil, err
	}
	for _, s := range beside {
		services.RegisterService(s.desc, s.impl)
		healthy.SetServingStatus(s.desc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	}
	healthpb.RegisterHealthServer(services, healthy)
	reflection.Register(grpcServer)

	json, err := jsonDoor(c, t, p.Name, grpcServer)
	if err != nil {
		return nil, err
	}
	verifier, err := c.verifier()
	if err != nil {
		return nil, err
	}
	routes := http.NewServeMux()
	events := &event.Handler{Processor: p, Run: run, Signer: signer}
	routes.Handle("POST /{$}", t.Handler(verifier.Require(events)))
	routes.Handle("/v1/", t.JSON(json))
	config := c.serve(p.Name, int64(c.messageBytes()))
	config.AnswerBytes = 2 * config.BodyBytes // those of jobs that end at once
	return server.Listen(config, grpcServer, routes, healthy)
}

// messageBytes leaves room for the largest picture and the rest of its request.
func (c ProcessorConfig) messageBytes() int { return int(c.ObjectBytes) + 1<<20 }

// jsonDoor is the gateway before the server of the same process, which it
// reaches through memory.
func jsonDoor(c ProcessorConfig, t *telemetry.Tracing, name string, grpcServer *grpc.Server) (http.Handler, error) {
	listener := bufconn.Listen(1 << 20)
	go func() { _ = grpcServer.Serve(listener) }() // ends with the process
	conn, err := grpc.NewClient("passthrough:///"+name,
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()), t.Client(),
		grpc.WithUnaryInterceptor(server.AwaitPlaceOfJSON),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(c.messageBytes()), grpc.MaxCallSendMsgSize(c.messageBytes())))
	if err != nil {
		return nil, err
	}
	// Bytes in JSON are base64: four for three.
	return gateway.New(context.Background(), jsonTimeout, int64(c.messageBytes())/3*4, gateway.Backend{
		Register: gateway.Services[name], Conn: conn,
	})
}

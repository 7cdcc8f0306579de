package role

import (
	"context"
	"io"
	"net/http"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"imageflow.dev/functions"
	"imageflow.dev/internal/event"
	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/rpc"
	"imageflow.dev/internal/server"
	"imageflow.dev/internal/telemetry"
)

// jsonTimeout limits a JSON call at a processor's own port, as Knative limits every
// request.
const jsonTimeout = 5 * time.Minute

// service is a gRPC service in addition to the service of the processor.
type service struct {
	desc *grpc.ServiceDesc
	impl func(*job.Runner) any
	// routes are HTTP handlers by pattern; nil if there are none.
	routes map[string]http.Handler
	// closer is closed with the server; nil if there is nothing to close.
	closer io.Closer
}

// processor serves a processor in gRPC, JSON and CloudEvents on one port, with further
// gRPC services.
func processor(c ProcessorConfig, t *telemetry.Tracing, p functions.Processor, beside ...service) (*server.Server, error) {
	if err := imaging.Start(); err != nil {
		return nil, err
	}
	telemetry.WatchVips(func() telemetry.VipsMemory { return telemetry.VipsMemory(imaging.ReadVipsMemory()) })
	admission := c.Work.admission()
	runner, err := c.runner(p, admission)
	if err != nil {
		return nil, err
	}
	healthy := serving(p.Service)
	services := server.NewRPC(server.RPCConfig{
		MaxReceiveBytes: c.messageBytes(), MaxSendBytes: c.messageBytes(), Options: []grpc.ServerOption{t.Server()},
	})
	handler := &rpc.Handler{Processor: p, Run: runner.Run, Health: healthy, StreamParallelism: admission.Parallelism()}
	if err := handler.Register(services); err != nil {
		return nil, err
	}
	config := c.serve(p.Name, int64(c.messageBytes()))
	config.AnswerBytes = 2 * config.BodyBytes // for the answers of jobs that end at the same time
	for _, s := range beside {
		services.RegisterService(s.desc, s.impl(runner))
		healthy.SetServingStatus(s.desc.ServiceName, healthpb.HealthCheckResponse_SERVING)
		if s.closer != nil {
			config.Closers = append(config.Closers, s.closer)
		}
	}
	routes, err := c.routes(t, p, runner.Run, services)
	if err != nil {
		return nil, err
	}
	for _, s := range beside {
		for pattern, handler := range s.routes {
			routes.Handle(pattern, t.JSON(handler))
		}
	}
	return server.Listen(config, services, routes, healthy)
}

// runner returns the runner of a processor.
func (c ProcessorConfig) runner(p functions.Processor, admission *job.Admission) (*job.Runner, error) {
	store, err := c.Store.open("")
	if err != nil {
		return nil, err
	}
	set, err := c.Presets()
	if err != nil {
		return nil, err
	}
	return job.NewRunner(p, store, admission, job.Config{
		Presets: set,
		Bucket:  c.Bucket, ReadFrom: c.ReadFrom, WriteTo: c.WriteTo, MaxObjectBytes: c.ObjectBytes, Timeout: c.JobTimeout,
		Limits: imaging.Limits{
			MaxSide: c.Side, MaxPixels: c.Pixels, MaxFrames: c.Frames, MaxAnimationPixels: c.AllPixels, Strict: c.Strict,
		},
	}), nil
}

// runFunc is the type of job.Runner.Run.
type runFunc = func(context.Context, functions.Request, job.OverloadPolicy) (functions.Response, error)

// routes returns the handlers of events and of JSON.
func (c ProcessorConfig) routes(
	t *telemetry.Tracing, p functions.Processor, run runFunc, services *server.RPC,
) (*http.ServeMux, error) {
	signer, err := c.Signer()
	if err != nil {
		return nil, err
	}
	verifier, err := c.verifier()
	if err != nil {
		return nil, err
	}
	json, err := jsonHandler(c, p.Info, services)
	if err != nil {
		return nil, err
	}
	routes := http.NewServeMux()
	events := &event.Handler{Processor: p, Run: run, Signer: signer}
	routes.Handle("POST /{$}", t.Handler(verifier.Require(events)))
	routes.Handle("/v1/", t.JSON(json))
	return routes, nil
}

// messageBytes is the size of a message with the largest image.
func (c ProcessorConfig) messageBytes() int { return int(c.ObjectBytes) + 1<<20 }

// jsonHandler returns a gateway for the services of this process.
func jsonHandler(c ProcessorConfig, p processors.Info, services *server.RPC) (http.Handler, error) {
	conn, err := services.Dial(grpc.WithUnaryInterceptor(server.ReserveJSON))
	if err != nil {
		return nil, err
	}
	// Base64 in JSON has four characters for three bytes.
	return gateway.New(context.Background(), jsonTimeout, int64(c.messageBytes())/3*4, gateway.Backend{
		Register: p.RegisterJSON, Conn: conn,
	})
}

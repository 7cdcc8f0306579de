// Package rpc is the gRPC door of a processor.
package rpc

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"imageflow.dev/functions"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Door serves one processor's service.
type Door[Req functions.Request, Resp functions.Response] struct {
	// Processor is the one served.
	Processor functions.Processor[Req, Resp]
	// Run runs a job.
	Run func(context.Context, Req, job.OverloadPolicy) (Resp, error)
	// Health is the truth that the service's own Health call repeats.
	Health *health.Server
	// StreamParallelism is how many items of one stream are in work at once.
	StreamParallelism int
}

// Register adds the service to the server. It finds the methods by what they
// take and give, so that a new processor needs no code here.
func (d *Door[Req, Resp]) Register(server grpc.ServiceRegistrar) error {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(d.Processor.Service))
	if err != nil {
		return fmt.Errorf("service %s of processor %s: %w", d.Processor.Service, d.Processor.Name, err)
	}
	service := found.(protoreflect.ServiceDescriptor)
	desc := &grpc.ServiceDesc{ServiceName: d.Processor.Service, Metadata: service.ParentFile().Path()}
	methods := service.Methods()
	for i := range methods.Len() {
		m := methods.Get(i)
		switch name := string(m.Name()); {
		case m.Input().FullName() == nameOf(&healthRequest{}):
			desc.Methods = append(desc.Methods, unary(d.Processor.Service, name, d.health))
		case m.IsStreamingClient() && m.IsStreamingServer():
			desc.Streams = append(desc.Streams, grpc.StreamDesc{
				StreamName: name, ServerStreams: true, ClientStreams: true,
				Handler: func(_ any, s grpc.ServerStream) error { return d.stream(s) },
			})
		default:
			desc.Methods = append(desc.Methods, unary(d.Processor.Service, name, d.call))
		}
	}
	server.RegisterService(desc, nil)
	return nil
}

type healthRequest = imageflowv1.HealthCheckRequest

func nameOf(m proto.Message) protoreflect.FullName { return m.ProtoReflect().Descriptor().FullName() }

// unary describes a method that f implements.
func unary[Req, Resp proto.Message](service, name string, f func(context.Context, Req) (Resp, error)) grpc.MethodDesc {
	info := &grpc.UnaryServerInfo{FullMethod: "/" + service + "/" + name}
	return grpc.MethodDesc{MethodName: name, Handler: func(
		_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor,
	) (any, error) {
		var none Req
		req := none.ProtoReflect().Type().New().Interface().(Req)
		if err := decode(req); err != nil {
			return nil, err
		}
		if intercept == nil {
			return f(ctx, req)
		}
		return intercept(ctx, req, info, func(ctx context.Context, req any) (any, error) { return f(ctx, req.(Req)) })
	}}
}

func (d *Door[Req, Resp]) call(ctx context.Context, req Req) (Resp, error) {
	resp, err := d.Run(ctx, req, job.FailFast)
	if err != nil {
		return resp, job.Status(ctx, err).Err()
	}
	return resp, nil
}

// health answers from grpc.health.v1, for the service asked about or for this
// one.
func (d *Door[Req, Resp]) health(ctx context.Context, req *healthRequest) (*imageflowv1.HealthCheckResponse, error) {
	name := req.GetService()
	if name == "" {
		name = d.Processor.Service
	}
	answer, err := d.Health.Check(ctx, &healthpb.HealthCheckRequest{Service: name})
	if err != nil {
		return nil, err
	}
	// The two enumerations have the same values by contract.
	return &imageflowv1.HealthCheckResponse{
		Status: imageflowv1.HealthCheckResponse_ServingStatus(answer.GetStatus()),
	}, nil
}

// Package rpc is the gRPC transport of a processor.
package rpc

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"imageflow.dev/functions"
	"imageflow.dev/internal/events"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Handler serves the gRPC service of one processor.
type Handler struct {
	Processor functions.Processor
	// Run runs a job.
	Run func(context.Context, functions.Request, job.OverloadPolicy) (functions.Response, error)
	// Health answers the service's own Health call.
	Health *health.Server
	// StreamParallelism is the maximum number of items of one stream in work.
	StreamParallelism int
}

// Register adds the service to the server. It recognises the methods by their types, so
// that a new processor needs no code here.
func (h *Handler) Register(server grpc.ServiceRegistrar) error {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(h.Processor.Service))
	if err != nil {
		return fmt.Errorf("service %s of processor %s: %w", h.Processor.Service, h.Processor.Name, err)
	}
	service := found.(protoreflect.ServiceDescriptor)
	desc := &grpc.ServiceDesc{ServiceName: h.Processor.Service, Metadata: service.ParentFile().Path()}
	methods := service.Methods()
	for i := range methods.Len() {
		m := methods.Get(i)
		switch name := string(m.Name()); {
		case m.Input().FullName() == nameOf(&healthRequest{}):
			desc.Methods = append(desc.Methods, h.unary(name, newHealthRequest, h.health))
		case m.IsStreamingClient() && m.IsStreamingServer():
			desc.Streams = append(desc.Streams, grpc.StreamDesc{
				StreamName: name, ServerStreams: true, ClientStreams: true,
				Handler: func(_ any, s grpc.ServerStream) error { return h.stream(s) },
			})
		default:
			desc.Methods = append(desc.Methods, h.unary(name, func() proto.Message { return h.Processor.NewRequest() }, h.call))
		}
	}
	server.RegisterService(desc, nil)
	return nil
}

type healthRequest = imageflowv1.HealthCheckRequest

func newHealthRequest() proto.Message { return new(healthRequest) }

func nameOf(m proto.Message) protoreflect.FullName { return m.ProtoReflect().Descriptor().FullName() }

// unary describes a method that f implements.
func (h *Handler) unary(
	name string, newRequest func() proto.Message, f func(context.Context, proto.Message) (proto.Message, error),
) grpc.MethodDesc {
	info := &grpc.UnaryServerInfo{FullMethod: "/" + h.Processor.Service + "/" + name}
	return grpc.MethodDesc{MethodName: name, Handler: func(
		_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor,
	) (any, error) {
		req := newRequest()
		if err := decode(req); err != nil {
			return nil, err
		}
		if intercept == nil {
			return f(ctx, req)
		}
		return intercept(ctx, req, info, func(ctx context.Context, req any) (any, error) { return f(ctx, req.(proto.Message)) })
	}}
}

func (h *Handler) call(ctx context.Context, req proto.Message) (proto.Message, error) {
	resp, err := h.Run(ctx, req.(functions.Request), policyOf(ctx))
	if err != nil {
		return nil, job.Status(ctx, err).Err()
	}
	return resp, nil
}

// policyOf returns the policy of a unary call. The gateway marks the calls that it makes for events.
func policyOf(ctx context.Context) job.OverloadPolicy {
	for _, priority := range metadata.ValueFromIncomingContext(ctx, events.PriorityMetadata) {
		switch priority {
		case events.PriorityEvent:
			return job.Enqueue
		case events.PriorityBackfill:
			return job.Backfill
		}
	}
	return job.FailFast
}

// health answers from grpc.health.v1, for the requested service or by default for this
// one.
func (h *Handler) health(ctx context.Context, req proto.Message) (proto.Message, error) {
	name := req.(*healthRequest).GetService()
	if name == "" {
		name = h.Processor.Service
	}
	answer, err := h.Health.Check(ctx, &healthpb.HealthCheckRequest{Service: name})
	if err != nil {
		return nil, err
	}
	// By contract, the two enumerations have the same values.
	return &imageflowv1.HealthCheckResponse{
		Status: imageflowv1.HealthCheckResponse_ServingStatus(answer.GetStatus()),
	}, nil
}

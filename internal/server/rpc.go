package server

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/protolimit"
)

// RPC is the gRPC side of a Server. Its grpc.Server has the codec and the
// interceptors that the limits of a Server depend on.
type RPC struct {
	grpc    *grpc.Server
	limited grpc.ServiceRegistrar
	unary   map[string]unary // by full method name
	conn    *grpc.ClientConn // nil without Dial
}

// unary is a unary method and its service's implementation.
type unary struct {
	handler grpc.MethodHandler
	impl    any
}

// RPCConfig configures an RPC.
type RPCConfig struct {
	// MaxReceiveBytes and MaxSendBytes bound one message; 0 is the default of grpc.
	MaxReceiveBytes, MaxSendBytes int
	// Options are further options of the grpc.Server, such as tracing.
	Options []grpc.ServerOption
}

// NewRPC returns an RPC without services. They must be registered before Listen,
// which adds health and reflection.
func NewRPC(c RPCConfig) *RPC {
	options := []grpc.ServerOption{
		protolimit.Codec(), grpc.ChainUnaryInterceptor(reserveAnswer),
		grpc.ChainStreamInterceptor(protolimit.Stream, controlFlow), // handlers see the Keep of the innermost
	}
	if c.MaxReceiveBytes > 0 {
		options = append(options, grpc.MaxRecvMsgSize(c.MaxReceiveBytes))
	}
	if c.MaxSendBytes > 0 {
		options = append(options, grpc.MaxSendMsgSize(c.MaxSendBytes))
	}
	s := grpc.NewServer(append(options, c.Options...)...)
	return &RPC{grpc: s, limited: protolimit.Registrar(s), unary: map[string]unary{}}
}

// RegisterService implements grpc.ServiceRegistrar.
func (r *RPC) RegisterService(desc *grpc.ServiceDesc, impl any) {
	for _, m := range desc.Methods {
		r.unary["/"+desc.ServiceName+"/"+m.MethodName] = unary{m.Handler, impl}
	}
	r.limited.RegisterService(desc, impl)
}

// GetServiceInfo returns the registered services by name.
func (r *RPC) GetServiceInfo() map[string]grpc.ServiceInfo { return r.grpc.GetServiceInfo() }

// Dial returns a connection whose unary calls run the handlers of this process. Request
// and response share their bytes with the caller's messages, so the caller must not use
// the request after the call. Streams fail. The Server closes the connection at its end.
// Call Dial at most once.
func (r *RPC) Dial(options ...grpc.DialOption) (conn *grpc.ClientConn, err error) {
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithChainUnaryInterceptor(r.call),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return nil, errors.New("only unary calls") }))
	r.conn, err = grpc.NewClient("passthrough:///memory", options...)
	return r.conn, err
}

// call is the innermost interceptor of the connection of Dial. In place of a transport, it
// calls the handler.
func (r *RPC) call(
	ctx context.Context, name string, req, resp any, conn *grpc.ClientConn, _ grpc.UnaryInvoker, _ ...grpc.CallOption,
) error {
	method, ok := r.unary[name]
	if !ok {
		return status.Errorf(codes.Unimplemented, "unknown method %s", name)
	}
	answer, err := method.handler(method.impl, ctx, func(m any) error { return share(m, req) }, nil)
	if err != nil {
		return status.Convert(err).Err()
	}
	return share(resp, answer)
}

// share gives the empty message to the fields of from, without a copy of their bytes.
func share(to, from any) error {
	t, f := to.(proto.Message).ProtoReflect(), from.(proto.Message).ProtoReflect()
	if t.Descriptor() != f.Descriptor() {
		return status.Errorf(codes.Internal, "got a %s for a %s", f.Descriptor().FullName(), t.Descriptor().FullName())
	}
	f.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		t.Set(field, v)
		return true
	})
	return nil
}

func (r *RPC) addHealth(h *health.Server) {
	if r != nil {
		healthpb.RegisterHealthServer(r, h)
		r.addReflection()
	}
}

// close ends the connection of Dial and all calls.
func (r *RPC) close() error {
	if r == nil {
		return nil
	}
	var err error
	if r.conn != nil {
		err = r.conn.Close()
	}
	r.grpc.Stop()
	return err
}

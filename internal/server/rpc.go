package server

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/test/bufconn"

	"imageflow.dev/internal/protolimit"
)

// RPC is the gRPC side of a Server. Its grpc.Server has the codec and the
// interceptors that the limits of a Server depend on.
type RPC struct {
	grpc     *grpc.Server
	limited  grpc.ServiceRegistrar
	listener *bufconn.Listener // nil without Dial
	conn     *grpc.ClientConn
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
	return &RPC{grpc: s, limited: protolimit.Registrar(s)}
}

// RegisterService implements grpc.ServiceRegistrar.
func (r *RPC) RegisterService(desc *grpc.ServiceDesc, impl any) {
	r.limited.RegisterService(desc, impl)
}

// GetServiceInfo returns the registered services by name.
func (r *RPC) GetServiceInfo() map[string]grpc.ServiceInfo { return r.grpc.GetServiceInfo() }

// Dial returns a connection to the services through memory. Calls succeed while the
// Server runs; then the Server closes the connection. Call Dial at most once.
func (r *RPC) Dial(name string, options ...grpc.DialOption) (conn *grpc.ClientConn, err error) {
	r.listener = bufconn.Listen(1 << 20)
	options = append([]grpc.DialOption{
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return r.listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
	}, options...)
	r.conn, err = grpc.NewClient("passthrough:///"+name, options...)
	return r.conn, err
}

func (r *RPC) addHealth(h *health.Server) {
	if r != nil {
		healthpb.RegisterHealthServer(r, h)
		reflection.Register(r)
	}
}

// serveMemory serves the connection of Dial until close.
func (r *RPC) serveMemory() {
	if r != nil && r.listener != nil {
		go func() { _ = r.grpc.Serve(r.listener) }() // close ends it
	}
}

// close ends the connection of Dial and all calls.
func (r *RPC) close() error {
	if r == nil {
		return nil
	}
	var err error
	if r.conn != nil {
		err = errors.Join(r.conn.Close(), r.listener.Close())
	}
	r.grpc.Stop()
	return err
}

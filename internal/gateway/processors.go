package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/processors"
)

// Processors are connections to processors, by their names. They must be closed.
type Processors map[string]*grpc.ClientConn

// Dial connects to every processor, at the host:port that endpoint returns, and distributes the calls over all
// addresses of the host. It does not wait for them. maxBytes limits a request and a response.
func Dial(endpoint func(processors.Info) string, maxBytes int, options ...grpc.DialOption) (Processors, error) {
	conns := Processors{}
	options = append(append(balance(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: 5 * time.Second}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxBytes), grpc.MaxCallSendMsgSize(maxBytes)),
	), options...)
	options = append(options, grpc.WithChainUnaryInterceptor(MeasureOverhead, explainSize))
	for _, p := range processors.All {
		conn, err := grpc.NewClient(endpoint(p), options...)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", p.EndpointVariable, err), conns.Close())
		}
		conns[p.Name] = conn
	}
	return conns, nil
}

// reconnect is gRPC's default backoff with a maximum of 3 s instead of 120 s: a
// processor that has restarted is used again within seconds.
var reconnect = backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second}

// Close closes all connections.
func (c Processors) Close() error {
	var errs []error
	for _, conn := range c {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// Backends returns a backend for each processor.
func (c Processors) Backends() (all []Backend) {
	for _, p := range processors.All {
		if conn := c[p.Name]; conn != nil {
			all = append(all, Backend{Register: p.RegisterJSON, Conn: conn})
		}
	}
	return all
}

// call calls the unary method of the processor that a step names.
func (c Processors) call(ctx context.Context, step protoreflect.Name, request, response proto.Message) error {
	p, ok := processors.Named(string(step))
	if !ok {
		return fmt.Errorf("no processor %q", step)
	}
	return c[p.Name].Invoke(ctx, p.Method(), request, response)
}

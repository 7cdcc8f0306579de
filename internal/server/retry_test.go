package server_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"imageflow.dev/internal/server"
)

// failing returns services whose calls fail as often as the counter says, with a suggested delay, and then echo.
func failing(t *testing.T, failures *atomic.Int64, delay time.Duration) *server.RPC {
	t.Helper()
	busy, err := status.New(codes.ResourceExhausted, "50 % busy: später").WithDetails(
		&errdetails.RetryInfo{RetryDelay: durationpb.New(delay)})
	if err != nil {
		t.Fatal(err)
	}
	rpc := server.NewRPC(server.RPCConfig{})
	rpc.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Echo", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Once", Handler: func(
			_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
		) (any, error) {
			// As generated handlers do, it reads the request first. If a server ends the last attempt of a call before the
			// request is sent, a client of grpc 1.85 reports EOF in place of the status.
			m := &wrapperspb.BytesValue{}
			err := decode(m)
			if failures.Add(-1) >= 0 {
				_ = grpc.SetTrailer(ctx, metadata.Pairs("test-bin", "\x00ä"))
				return nil, busy.Err()
			}
			return m, err
		}}},
		Streams: []grpc.StreamDesc{{StreamName: "Many", ClientStreams: true, ServerStreams: true, Handler: func(
			server any, s grpc.ServerStream,
		) error {
			if failures.Add(-1) >= 0 {
				return busy.Err()
			}
			return many(server, s)
		}}},
	}, nil)
	return rpc
}

const retryPolicy = `{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 5, "initialBackoff": "60s",
	"maxBackoff": "60s", "backoffMultiplier": 1, "retryableStatusCodes": ["RESOURCE_EXHAUSTED"]}}]}`

// TestRetryPolicy: a client with a retryPolicy repeats calls that failed before their first message, after the delay that
// the server suggests. Its own delay would exceed the deadline.
func TestRetryPolicy(t *testing.T) {
	var failures atomic.Int64
	address := listen(t, server.Config{BodyBytes: 1 << 20}, failing(t, &failures, time.Millisecond), http.NotFoundHandler())
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(retryPolicy))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	sent, got := wrapperspb.Bytes([]byte("x")), &wrapperspb.BytesValue{}
	failures.Store(4)
	if err := conn.Invoke(ctx, "/test.Echo/Once", sent, got); err != nil || string(got.Value) != "x" {
		t.Errorf("a call: %q, %v", got.Value, err)
	}
	failures.Store(4)
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/test.Echo/Many")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(sent); err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(got); err != nil || string(got.Value) != "x" {
		t.Errorf("a stream: %q, %v", got.Value, err)
	}
	failures.Store(5)
	var trailer metadata.MD
	err = conn.Invoke(ctx, "/test.Echo/Once", sent, got, grpc.Trailer(&trailer))
	s := status.Convert(err)
	if s.Code() != codes.ResourceExhausted || !strings.HasSuffix(s.Message(), "50 % busy: später") || len(s.Details()) != 1 ||
		trailer.Get("test-bin")[0] != "\x00ä" {
		t.Errorf("after all attempts: %v %v", err, trailer)
	}
}

// TestRetryPolicy_tooLarge: a client does not repeat a call whose message is too large.
func TestRetryPolicy_tooLarge(t *testing.T) {
	address := listen(t, server.Config{BodyBytes: 16 << 20}, failing(t, &atomic.Int64{}, 0), http.NotFoundHandler())
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(retryPolicy))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), timeout) // shorter than the delay of the policy
	defer cancel()
	sent := wrapperspb.Bytes(make([]byte, 5<<20)) // grpc's own limit is 4 MiB
	err = conn.Invoke(ctx, "/test.Echo/Once", sent, &wrapperspb.BytesValue{}, grpc.MaxRetryRPCBufferSize(16<<20))
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message that is too large: %v", err)
	}
}

// TestTrailersOnly: a call that fails before its first message is answered by one frame of headers.
func TestTrailersOnly(t *testing.T) {
	var failures atomic.Int64
	failures.Store(2)
	address := listen(t, server.Config{BodyBytes: 1 << 20}, failing(t, &failures, 1500*time.Millisecond), http.NotFoundHandler())
	c := dialWire(t, address)
	for _, path := range []string{"/test.Echo/Once", "/test.Echo/Many", "/test.Echo/None"} {
		stream := c.open(path, rpcType)
		c.send(stream, append(prefix(0, 3), "\n\x01x"...), true)
		got := c.ended(stream)
		if got["frames"] != "HEADERS" || got["grpc-status"] == "" || got["content-type"] != rpcType || got["trailer"] != "" {
			t.Errorf("%s: %v", path, got)
		}
		if delay := got["grpc-retry-pushback-ms"]; (delay == "1500") != (got["grpc-status"] == "8") {
			t.Errorf("%s with status %s suggests a retry after %q ms", path, got["grpc-status"], delay)
		}
	}
	stream := c.open("/test.Echo/Many", rpcType)
	c.send(stream, append(prefix(0, 3), "\n\x01x"...), true)
	if got := c.ended(stream); got["frames"] != "HEADERS DATA HEADERS" || got["grpc-status"] != "0" {
		t.Errorf("a call with a message: %v", got)
	}
}

package server_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"imageflow.dev/internal/server"
	"imageflow.dev/internal/testing/grpctest"
)

// closer counts how often it is closed.
type closer struct{ closed int }

func (c *closer) Close() error {
	c.closed++
	return nil
}

func TestRun_closesWhatTheServerOwns(t *testing.T) {
	rpc, owned := echo(), &closer{}
	conn, err := rpc.Dial()
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.Listen(server.Config{Address: "127.0.0.1:0", BodyBytes: 1 << 20, Closers: []io.Closer{owned}},
		rpc, http.NotFoundHandler(), health.NewServer())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	sent, received := wrapperspb.Bytes([]byte("x")), &wrapperspb.BytesValue{}
	err = conn.Invoke(t.Context(), "/test.Echo/Once", sent, received)
	if err != nil || &received.Value[0] != &sent.Value[0] {
		t.Errorf("a call in this process: %q, %v, not the bytes that were sent", received.Value, err)
	}
	if err := conn.Invoke(t.Context(), "/test.Echo/None", sent, received); status.Code(err) != codes.Unimplemented {
		t.Errorf("a call of an unknown method: %v", err)
	}
	if owned.closed != 0 {
		t.Error("closed while the server runs")
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if owned.closed != 1 || conn.GetState() != connectivity.Shutdown {
		t.Errorf("after Run: closed %d times, the connection is %s", owned.closed, conn.GetState())
	}
}

func TestListen_failureClosesWhatTheServerOwns(t *testing.T) {
	owned := &closer{}
	_, err := server.Listen(server.Config{Address: "no address", Closers: []io.Closer{owned}},
		echo(), http.NotFoundHandler(), health.NewServer())
	if err == nil || owned.closed != 1 {
		t.Errorf("got %v, closed %d times", err, owned.closed)
	}
}

// TestStream_offersKeep: no interceptor hides Keep from the handlers of streams.
func TestStream_offersKeep(t *testing.T) {
	rpc := server.NewRPC(server.RPCConfig{})
	rpc.RegisterService(&grpc.ServiceDesc{ServiceName: "test.Keeper", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{{
		StreamName: "Keep", ClientStreams: true, ServerStreams: true,
		Handler: func(_ any, s grpc.ServerStream) error {
			m := &wrapperspb.BytesValue{}
			if err := s.RecvMsg(m); err != nil {
				return err
			}
			k, ok := s.(interface{ Keep() (release func()) })
			if !ok {
				return errors.New("the stream has no Keep")
			}
			k.Keep()()
			return s.SendMsg(m)
		},
	}}}, nil)
	conn := grpctest.Dial(t, listen(t, server.Config{BodyBytes: 1 << 20}, rpc, http.NotFoundHandler()))
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/test.Keeper/Keep")
	if err != nil {
		t.Fatal(err)
	}
	m := wrapperspb.Bytes([]byte("x"))
	if err := errors.Join(stream.SendMsg(m), stream.RecvMsg(m)); err != nil {
		t.Error(err)
	}
}

package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"imageflow.dev/internal/server"
	"imageflow.dev/internal/testing/grpctest"
)

// listen starts a server and stops it at the end of the test.
func listen(t *testing.T, c server.Config, rpc *server.RPC, routes http.Handler) string {
	t.Helper()
	c.Address, c.DrainTimeout = "127.0.0.1:0", 10*time.Second
	s, err := server.Listen(c, rpc, routes, health.NewServer())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.Address()
}

// registerSink registers a stream whose handler counts the bytes that it gets, and waits for
// proceed after each message.
func registerSink(rpc *server.RPC, got *atomic.Int64, proceed <-chan struct{}) {
	rpc.RegisterService(&grpc.ServiceDesc{ServiceName: "test.Sink", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{{
		StreamName: "Take", ClientStreams: true, ServerStreams: true,
		Handler: func(_ any, s grpc.ServerStream) error {
			for {
				m := &wrapperspb.BytesValue{}
				if err := s.RecvMsg(m); err != nil {
					if errors.Is(err, io.EOF) {
						return nil
					}
					return err
				}
				got.Add(int64(len(m.GetValue())))
				<-proceed
			}
		},
	}}}, nil)
}

// While the handler of a stream is busy, the server reads little more than the message
// that the handler asked for.
func TestStream_waitsForItsHandler(t *testing.T) {
	t.Parallel()
	const messages, size = 40, 4 << 20
	proceed := make(chan struct{})
	var got atomic.Int64
	rpc := server.NewRPC(server.RPCConfig{MaxReceiveBytes: 2 * size})
	registerSink(rpc, &got, proceed)
	address := listen(t, server.Config{BodyBytes: 64 << 20}, rpc, http.NotFoundHandler())
	conn := grpctest.Dial(t, address)
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/test.Sink/Take")
	if err != nil {
		t.Fatal(err)
	}
	var sent atomic.Int64
	go func() {
		for range messages {
			if stream.SendMsg(wrapperspb.Bytes(make([]byte, size))) != nil {
				return
			}
			sent.Add(size)
		}
		_ = stream.CloseSend()
	}()
	for before := int64(-1); before != sent.Load() || got.Load() == 0; time.Sleep(300 * time.Millisecond) {
		before = sent.Load()
	}
	// One message at the handler, a window of 4 MiB, and what the client buffers.
	if sent := sent.Load(); sent > 5*size {
		t.Errorf("%d MiB were sent while the handler has only its first message of %d MiB", sent>>20, size>>20)
	}
	close(proceed)
	if err := stream.RecvMsg(&wrapperspb.BytesValue{}); !errors.Is(err, io.EOF) {
		t.Errorf("the end of the stream: %v", err)
	}
	if got := got.Load(); got != messages*size {
		t.Errorf("received %d bytes of %d", got, messages*size)
	}
}

// Large bodies are read within the budget and one body beyond it. Small bodies do not
// wait, and all are answered.
func TestBodyBytes_largeBodiesWait(t *testing.T) {
	t.Parallel()
	const size, budget = 4 << 20, 8 << 20
	var got, whole atomic.Int64
	proceed := make(chan struct{})
	address := listen(t, server.Config{BodyBytes: budget}, nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(counter{&got}, r.Body)
		if err != nil || n != r.ContentLength {
			t.Errorf("%d bytes of %d: %v", n, r.ContentLength, err)
		}
		if n == size {
			whole.Add(1)
			<-proceed
		}
	}))
	post := func(n int) error {
		resp, err := http.Post("http://"+address, "application/octet-stream", bytes.NewReader(make([]byte, n)))
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	answers := make(chan error)
	for range 6 {
		go func() { answers <- post(size) }()
	}
	for before := int64(-1); before != got.Load() || whole.Load() == 0; time.Sleep(300 * time.Millisecond) {
		before = got.Load()
	}
	if err := post(1000); err != nil {
		t.Errorf("a small body: %v", err)
	}
	if got := got.Load(); got > budget+size+6*server.Chunk+1000 { // a body may read its first chunk at once
		t.Errorf("%d KiB are in memory, the budget is %d KiB", got>>10, budget>>10)
	}
	close(proceed)
	for range 6 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}

// counter counts the written bytes.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// readAndWork returns a handler that reads the body and then works for 600 ms. It sends the
// error of either.
func readAndWork(outcomes chan<- error) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		if err == nil {
			select {
			case <-r.Context().Done():
				err = r.Context().Err()
			case <-time.After(600 * time.Millisecond):
			}
		}
		outcomes <- err
	})
}

// A body that does not arrive ends its request, over both protocols. After the body has
// arrived, the handler has unlimited time.
func TestPace_endsSlowBodies(t *testing.T) {
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outcomes := make(chan error, 1)
			address := listen(t, server.Config{BodyBytes: 1 << 20}.WithPace(200*time.Millisecond, 100*time.Millisecond,
				time.Minute, time.Minute), nil, readAndWork(outcomes))
			for _, whole := range []string{"", "whole"} {
				resp, err := clientOf(h2).Post("http://"+address, "text/plain", strings.NewReader(whole))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if err := <-outcomes; err != nil {
					t.Errorf("the body %q: %v", whole, err)
				}
			}

			slow, end := io.Pipe()
			defer end.Close()
			go func() { _, _ = end.Write([]byte("half")) }()
			go func() {
				if resp, err := clientOf(h2).Post("http://"+address, "text/plain", slow); err == nil {
					resp.Body.Close()
				}
			}()
			select {
			case err := <-outcomes:
				if err == nil {
					t.Error("half a body was accepted as a whole one")
				}
			case <-time.After(10 * time.Second):
				t.Error("a body that does not arrive does not end its request")
			}
		})
	}
}

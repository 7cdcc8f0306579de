package server_test

import (
	"errors"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"imageflow.dev/internal/server"
	"imageflow.dev/internal/testing/grpctest"
)

// heap returns the bytes of the heap in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Bytes that have arrived and are not read by handlers take little memory, even if many
// connections send as much as they can.
func TestBodyBytes_boundsUnreadBodies(t *testing.T) {
	const connections, bound = 110, 64 << 20
	release := make(chan struct{})
	rpc := server.NewRPC(server.RPCConfig{})
	rpc.RegisterService(&grpc.ServiceDesc{ServiceName: "test.Busy", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{{
		StreamName: "Take", ClientStreams: true, ServerStreams: true,
		Handler: func(any, grpc.ServerStream) error { <-release; return nil },
	}}}, nil)
	address := listen(t, server.Config{BodyBytes: 1 << 20}.WithPace(long, long, long, long), rpc, discard)
	before := heap()
	all := make([]*wire, 0, connections)
	for range connections {
		c := dialWire(t, address)
		for range 2 {
			stream := c.open("/test.Busy/Take", rpcType)
			c.send(stream, append(prefix(0, 64<<20), make([]byte, 60<<10)...), false)
		}
		c.send(c.open("/test.Busy/Take", rpcType), make([]byte, 2<<20), false) // ignores the windows
		c.settle()
		all = append(all, c)
	}
	if grown := heap() - before; grown > bound {
		t.Errorf("%d connections take %d MiB of memory, want at most %d MiB", connections, grown>>20, bound>>20)
	}
	if got := post(t, address, 1<<20); got != http.StatusOK {
		t.Errorf("another caller: %d", got)
	}
	close(release)
	for _, c := range all {
		c.ended(1)
	}
}

// The server accepts only the window of a stream before the handler reads.
func TestStreamWindow_isEnforced(t *testing.T) {
	address := listen(t, server.Config{BodyBytes: 1 << 20}.WithPace(long, long, long, long), echo(),
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	c := dialWire(t, address)
	stream := c.open("/v1/x", "text/plain")
	c.send(stream, make([]byte, 1<<20), false)
	if got := c.ended(stream); got["reset"] != "FLOW_CONTROL_ERROR" {
		t.Errorf("%v", got)
	}
}

// A message that arrives in frames of one byte takes little more memory than its bytes.
func TestBodyBytes_tinyFrames(t *testing.T) {
	const frames, bound = 20_000, 32 << 20
	address := listen(t, server.Config{BodyBytes: 1 << 20}.WithPace(long, long, long, long), echo(), discard)
	c := dialWire(t, address)
	before := heap()
	stream := c.open("/test.Echo/Once", rpcType)
	c.send(stream, append(prefix(0, frames+4), 0x0a, 0xa0, 0x9c, 0x01), false)
	for range frames - 1 {
		c.send(stream, []byte{0}, false)
	}
	c.settle()
	if grown := heap() - before; grown > bound {
		t.Errorf("%d MiB of memory for a message of %d bytes", grown>>20, frames)
	}
	c.send(stream, []byte{0}, true)
	if got := c.ended(stream); got["grpc-status"] != "0" {
		t.Errorf("%v", got)
	}
}

// Connections beyond the limit replace idle ones. Health is answered in any case.
func TestMaxConnections_replacesIdleConnections(t *testing.T) {
	const bound = 8
	address := listen(t, server.Config{BodyBytes: 1 << 20, MaxConnections: bound}.WithPace(long, time.Nanosecond, long,
		long), echo(), discard)
	open := make([]net.Conn, 0, 10*bound)
	for range cap(open) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		open = append(open, conn)
		checkHealth(t, address)
	}
	closed := 0
	for _, conn := range open {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); err != nil && !isTimeout(err) {
			closed++
		}
	}
	if len(open)-closed > bound {
		t.Errorf("%d of %d connections are open, want at most %d", len(open)-closed, len(open), bound)
	}
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}

// Streams at rest do not keep calls out, on any number of connections. The oldest are
// ended with Unavailable.
func TestMaxConnections_endsStreamsAtRest(t *testing.T) {
	const bound = 8
	// silence is longer than a handler takes to write a status, which must not be cut off.
	const silence = 100 * time.Millisecond
	address := listen(t, server.Config{BodyBytes: 1 << 20, MaxConnections: bound}.WithPace(long, silence, long, long),
		echo(), discard)
	first := dialWire(t, address)
	oldest := first.open("/test.Echo/Many", rpcType)
	first.send(oldest, append(prefix(0, 3), "\n\x01x"...), false)
	first.answered(oldest) // so it has begun before all others
	for range 3 * bound {
		c := dialWire(t, address)
		for range bound {
			c.open("/test.Echo/Many", rpcType)
		}
		checkHealth(t, address)
		got := post(t, address, 1<<10)
		for deadline := time.Now().Add(timeout); got == http.StatusTooManyRequests && time.Now().Before(deadline); {
			got = post(t, address, 1<<10) // new streams count before they are at rest
		}
		if got != http.StatusOK {
			t.Fatalf("a call beside streams at rest: %d", got)
		}
	}
	if got := first.ended(oldest); got["grpc-status"] != "14" {
		t.Errorf("the oldest stream: %v", got)
	}
}

// checkHealth checks health over HTTP and gRPC on new connections, as probes do.
func checkHealth(t *testing.T, address string) {
	t.Helper()
	client := http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + address + "/health/readiness")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	conn := grpctest.Dial(t, address)
	defer conn.Close()
	answer, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil || resp.StatusCode != http.StatusOK || answer.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("health: %d, %v, %v", resp.StatusCode, answer, err)
	}
}

// Calls and health checks on one connection are counted on it without a race.
func TestHealth_besideCallsOfItsConnection(t *testing.T) {
	conn := grpctest.Dial(t, listen(t, server.Config{BodyBytes: 1 << 20}, echo(), discard))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				m := wrapperspb.Bytes(make([]byte, 1<<10))
				if err := conn.Invoke(t.Context(), "/test.Echo/Once", m, m); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 50 {
				if _, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

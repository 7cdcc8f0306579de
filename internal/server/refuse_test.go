package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"imageflow.dev/internal/server"
)

// echo returns services whose methods answer with their request: one message, or a
// stream of messages.
func echo() *server.RPC {
	rpc := server.NewRPC(server.RPCConfig{MaxReceiveBytes: 64 << 20})
	rpc.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Echo", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Once", Handler: once}},
		Streams: []grpc.StreamDesc{{StreamName: "Many", ClientStreams: true, ServerStreams: true, Handler: many}},
	}, nil)
	return rpc
}

func once(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	m := &wrapperspb.BytesValue{}
	return m, decode(m)
}

func many(_ any, s grpc.ServerStream) error {
	for {
		m := &wrapperspb.BytesValue{}
		if err := s.RecvMsg(m); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := s.SendMsg(m); err != nil {
			return err
		}
	}
}

const rpcType = "application/grpc"

// The refusal does not wait for the first byte of the body, over any protocol.
func TestAuthorize_refusesWithoutReadingBodies(t *testing.T) {
	var reached atomic.Int64
	address := listen(t, server.Config{BodyBytes: 1 << 20,
		Authorize: func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer secret" }},
		echo(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	c := dialWire(t, address)
	for _, path := range []string{"/test.Echo/Once", "/test.Echo/Many",
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/no.Such/Method"} {
		if got := c.ended(c.open(path, rpcType)); got["grpc-status"] != "16" || got[":status"] != "200" || got["grpc-message"] == "" {
			t.Errorf("%s: %v", path, got)
		}
	}
	if got := c.ended(c.open("/v1/resize", "application/json")); got[":status"] != "401" || got["www-authenticate"] != "Bearer" {
		t.Errorf("JSON over HTTP/2: %v", got)
	}
	if status, header := half(t, address, "/v1/resize"); status != 401 || header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("JSON over HTTP/1.1: %d %v", status, header)
	}
	if reached.Load() != 0 {
		t.Error("a refused request reached the routes")
	}
	stream := c.open("/test.Echo/Once", rpcType, "authorization", "Bearer secret")
	c.send(stream, append(prefix(0, 3), "\n\x01x"...), true)
	if got := c.ended(stream); got["grpc-status"] != "0" {
		t.Errorf("with the token: %v", got)
	}
}

// half sends only the header of a request over HTTP/1.1, and returns the answer's status
// and header.
func half(t *testing.T, address, path string, headers ...string) (int, http.Header) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n%s\r\n", path, strings.Join(headers, ""))
	_ = conn.SetReadDeadline(time.Now().Add(timeout))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header
}

// A header refuses a request before its body arrives, a flag refuses a single message.
// The answer names the accepted encoding.
func TestListen_refusesCompressedRequests(t *testing.T) {
	address := listen(t, server.Config{BodyBytes: 1 << 20}, echo(), http.NotFoundHandler())
	c := dialWire(t, address)
	for _, path := range []string{"/test.Echo/Once", "/test.Echo/Many"} {
		for _, encoding := range []string{"gzip", "snappy", "made-up", "identity, gzip"} {
			got := c.ended(c.open(path, rpcType, "grpc-encoding", encoding))
			if got["grpc-status"] != "12" || got["grpc-accept-encoding"] != "identity" {
				t.Errorf("%s with %s: %v", path, encoding, got)
			}
		}
		for name, headers := range map[string][]string{"identity": {"grpc-encoding", "identity"}, "no": nil} {
			stream := c.open(path, rpcType, headers...)
			c.send(stream, prefix(1, 1<<20), false)
			if got := c.ended(stream); got["grpc-status"] != "12" || !strings.Contains(got["grpc-message"], "compressed") {
				t.Errorf("%s with %s encoding and the flag: %v", path, name, got)
			}
		}
	}
	for _, encoding := range []string{"gzip", "br", "deflate, identity"} {
		if got := c.ended(c.open("/v1/resize", "application/json", "content-encoding", encoding)); got[":status"] != "415" {
			t.Errorf("JSON with %s: %v", encoding, got)
		}
		if status, _ := half(t, address, "/", "Content-Encoding: "+encoding+"\r\n"); status != 415 {
			t.Errorf("an event with %s: %d", encoding, status)
		}
	}
}

func TestListen_compressesNoAnswers(t *testing.T) {
	address := listen(t, server.Config{BodyBytes: 1 << 20}, echo(), http.NotFoundHandler())
	c := dialWire(t, address)
	stream := c.open("/test.Echo/Once", rpcType, "grpc-accept-encoding", "gzip", "accept-encoding", "gzip")
	c.send(stream, append(prefix(0, 3), "\n\x01x"...), true)
	if got := c.ended(stream); got["grpc-status"] != "0" || got["grpc-encoding"] != "" || got["content-encoding"] != "" {
		t.Errorf("%v", got)
	}
}

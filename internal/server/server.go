// Package server puts every door of a process on one port: gRPC, CloudEvents and
// JSON, over HTTP/1.1 and HTTP/2 without TLS.
package server

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// Config says where and how to serve.
type Config struct {
	// Role is what measurements are of.
	Role string
	// Address is host:port; port 0 takes a free one.
	Address string
	// DrainDelay is how long work is still taken after NOT_SERVING was
	// announced, so that callers notice before connections close.
	DrainDelay time.Duration
	// DrainTimeout is how long work in flight may then take to finish.
	DrainTimeout time.Duration
	// BodyBytes bounds the bytes of requests that are in memory at once. One body
	// more, and 16 MiB of small ones, may be there beside them.
	BodyBytes int64
	// AnswerBytes bounds the bytes of answers that are written at once; as many may
	// wait, and 32 MiB of small ones have places of their own. 0 is BodyBytes.
	AnswerBytes int64
	// MinBodyRate is how many bytes a second a caller must send of a request, and
	// read of its answer; 0 is 32 KiB.
	MinBodyRate int64
	// MaxConnections bounds the connections, and the requests in flight; 0 is 512.
	MaxConnections int
	// MaxConnectionAge is when a connection is ended, with the answer to a
	// request that comes after it; what is in flight may finish. A caller whose
	// name server knows several of us then finds another. 0 is never.
	MaxConnectionAge time.Duration
	// Authorize reports whether a request may go on. It is asked before the body
	// of the request is read, and for every request, health included. Without it
	// all may.
	Authorize func(*http.Request) bool
	// Guard wraps what answers all requests of any protocol, before Authorize;
	// nil wraps nothing.
	Guard func(http.Handler) http.Handler
}

// maxHeaderBytes is far above what any caller of ours sends.
const maxHeaderBytes = 64 << 10

// http2Config is what keepalive and window options are to a native gRPC server.
//
// What has come of a request and is not read yet is kept for it, at most a window
// of its stream. So all requests in flight (MaxConnections) keep 32 MiB. The window
// of a connection has a place for those of all its streams: bodies that wait must
// not hold up the one that the others wait for.
func http2Config() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          maxStreams,
		MaxReceiveBufferPerStream:     streamWindow,
		MaxReceiveBufferPerConnection: maxStreams * streamWindow,
		MaxReadFrameSize:              16 << 10,
		SendPingTimeout:               30 * time.Second,
		PingTimeout:                   15 * time.Second,
		WriteByteTimeout:              defaults.grace,
	}
}

const (
	maxStreams   = 100
	streamWindow = 64 << 10
)

// Server is a listening server.
type Server struct {
	config   Config
	listener net.Listener
	http     *http.Server
	health   *health.Server
}

// Listen binds the address and sets up the routes: gRPC to rpc (which may be
// nil, and has OneByOne among its interceptors where it takes streams),
// `/health/*` to the health, all else to routes.
func Listen(c Config, rpc *grpc.Server, routes http.Handler, health *health.Server) (*Server, error) {
	listener, err := net.Listen("tcp", c.Address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the address %s is taken by another process", c.Address)
	}
	if err != nil {
		return nil, err
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &Server{config: c, listener: listener, health: health}
	conns := &connections{max: c.maxConnections(), all: map[net.Conn]*list.Element{}}
	handler := c.admit(s.route(rpc, routes))
	if c.Guard != nil {
		handler = c.Guard(handler)
	}
	s.http = &http.Server{
		Handler:           s.age((&requests{role: c.Role}).measure(handler)),
		ConnContext:       withConnection,
		ConnState:         conns.observe,
		MaxHeaderBytes:    maxHeaderBytes,
		Protocols:         protocols,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		HTTP2:             http2Config(),
	}
	return s, nil
}

// Address returns the bound host:port.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Run serves until the context ends, then drains: it announces NOT_SERVING,
// goes on for the drain delay, takes nothing new and lets what is in flight
// finish.
func (s *Server) Run(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.health.Shutdown()
	slog.Info("draining", "address", s.Address())
	time.Sleep(s.config.DrainDelay)
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.DrainTimeout)
	defer cancel()
	if err := s.http.Shutdown(limit); err != nil {
		return errors.Join(fmt.Errorf("work in flight at %s was cut off: %w", s.Address(), err), s.http.Close())
	}
	return nil
}

// age ends old connections. HTTP/2 in net/http turns the header into a GOAWAY,
// after which what has been asked is answered and nothing more is taken.
func (s *Server) age(next http.Handler) http.Handler {
	limit := s.config.MaxConnectionAge
	if limit <= 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if time.Since(connectionOf(r.Context()).since) > limit {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) route(rpc *grpc.Server, routes http.Handler) http.Handler {
	g, unlimited := newGate(s.config), &budget{size: math.MaxInt64 / 2, wait: maxWait}
	mux := http.NewServeMux()
	mux.Handle("GET /health/liveness", g.plain(&g.health, unlimited, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	mux.Handle("GET /health/readiness", g.plain(&g.health, unlimited, http.HandlerFunc(s.readiness)))
	mux.Handle("/", g.plain(&g.work, g.budget, routes))
	if rpc == nil {
		return mux
	}
	calls := g.calls(&g.work, g.budget, rpc)
	health := map[string]http.Handler{
		healthpb.Health_Check_FullMethodName: g.calls(&g.health, unlimited, rpc),
		healthpb.Health_Watch_FullMethodName: g.calls(&g.watches, unlimited, rpc),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// One connection can mix gRPC and plain requests: decide by request.
		switch h := health[r.URL.Path]; {
		case !isRPC(r):
			mux.ServeHTTP(w, r)
		case h != nil:
			r.Body = http.MaxBytesReader(w, r.Body, healthBody)
			h.ServeHTTP(w, r)
		default:
			calls.ServeHTTP(w, r)
		}
	})
}

func isRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

func (s *Server) readiness(w http.ResponseWriter, r *http.Request) {
	answer, err := s.health.Check(r.Context(), &healthpb.HealthCheckRequest{})
	if err != nil || answer.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		http.Error(w, "not serving", http.StatusServiceUnavailable)
	}
}

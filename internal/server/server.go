// Package server serves all protocols of a process on one port: gRPC, CloudEvents
// and JSON, over HTTP/1.1 and HTTP/2 without TLS. It bounds the memory and the
// connections that callers can take.
package server

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// Config configures a Server.
type Config struct {
	// Role is the value of the label role in the metrics.
	Role string
	// Address is host:port; port 0 takes a free port.
	Address string
	// DrainDelay is the time between the announcement of NOT_SERVING and the close
	// of the listener, so that callers notice before their connections close.
	DrainDelay time.Duration
	// DrainTimeout bounds the time that requests in flight may then take to finish.
	DrainTimeout time.Duration
	// BodyBytes bounds the bytes of requests in memory. One more body, and 16 MiB
	// of small bodies, may exceed it.
	BodyBytes int64
	// AnswerBytes bounds the bytes of answers that are being written. As many bytes
	// may wait, and small answers have 32 MiB of their own. 0 means BodyBytes.
	AnswerBytes int64
	// MinBodyRate is the number of bytes a second that a caller must send of a
	// request and read of its answer; 0 means 32 KiB.
	MinBodyRate int64
	// MaxConnections bounds the connections, and the requests in flight; 0 means 512.
	MaxConnections int
	// MaxConnectionAge is the age from which a connection is closed after the next
	// answer. Requests in flight may finish. Callers that resolve the name again
	// then spread over all replicas. 0 means no limit.
	MaxConnectionAge time.Duration
	// Authorize reports whether a request may proceed. It runs for every request,
	// health included, before the body is read. nil allows all requests.
	Authorize func(*http.Request) bool
	// Guard wraps the handler of all requests, outside Authorize. nil wraps nothing.
	Guard func(http.Handler) http.Handler
	// IsWatch reports whether a request lasts until its caller ends it. Up to MaxWatches of them, which
	// is 0 by default, have slots of their own. OnDrain must end them; nil means that there are none.
	IsWatch    func(*http.Request) bool
	MaxWatches int
	OnDrain    func()
	// Closers are closed at the end of Run, such as connections that the handlers use.
	Closers []io.Closer

	pace *pace // nil means defaultPace; only tests set it
}

// maxHeaderBytes is far above the headers of legitimate callers.
const maxHeaderBytes = 64 << 10

const (
	maxStreams   = 100
	streamWindow = 64 << 10
)

// http2Config sets what keepalive and window options set in a native gRPC server.
//
// The bytes of a request that have arrived but are not read yet stay in memory, up
// to the window of the stream. All requests in flight (MaxConnections) thus hold at
// most 32 MiB. The window of a connection is the sum of those of its streams:
// a waiting body must not stop the body that the others wait for.
func http2Config(p *pace) *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          maxStreams,
		MaxReceiveBufferPerStream:     streamWindow,
		MaxReceiveBufferPerConnection: maxStreams * streamWindow,
		MaxReadFrameSize:              16 << 10,
		SendPingTimeout:               30 * time.Second,
		PingTimeout:                   15 * time.Second,
		WriteByteTimeout:              p.grace,
	}
}

// Server is a listening server.
type Server struct {
	config   Config
	listener net.Listener
	http     *http.Server
	rpc      *RPC // may be nil
	health   *health.Server
}

// Listen binds the address and routes gRPC to rpc, which may be nil, `/health/*` to
// healthServer, and all other requests to routes. The Server owns rpc and the Closers:
// Run closes them, and so does Listen if it fails.
func Listen(c Config, rpc *RPC, routes http.Handler, healthServer *health.Server) (*Server, error) {
	s := &Server{config: c, rpc: rpc, health: healthServer}
	var err error
	if s.listener, err = net.Listen("tcp", c.Address); errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("the address %s is taken by another process", c.Address)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.setUp(routes)
	return s, nil
}

func (s *Server) setUp(routes http.Handler) {
	c := &s.config
	if c.pace == nil {
		c.pace = &defaultPace
	}
	s.rpc.addHealth(s.health)
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	conns := &connections{max: c.maxConnections(), all: map[net.Conn]*list.Element{}}
	handler := c.pace.require(c.Authorize, c.pace.refuseEncoded(s.route(routes)))
	if c.Guard != nil {
		handler = c.Guard(handler)
	}
	s.http = &http.Server{
		Handler:           s.limitAge((&requestMetrics{role: c.Role}).measure(handler)),
		ConnContext:       withConnection,
		ConnState:         conns.observe,
		MaxHeaderBytes:    maxHeaderBytes,
		Protocols:         protocols,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		HTTP2:             http2Config(c.pace),
	}
}

// Address returns the bound host:port.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Run serves until ctx ends, then drains: it announces NOT_SERVING, waits for the
// drain delay, closes the listener and waits for the requests in flight. Call Run
// once.
func (s *Server) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(lingeringListener{s.listener, s.config.pace.grace}) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.health.Shutdown()
	slog.Info("draining", "address", s.Address())
	time.Sleep(s.config.DrainDelay)
	if s.config.OnDrain != nil {
		s.config.OnDrain()
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.DrainTimeout)
	defer cancel()
	if err := s.http.Shutdown(limit); err != nil {
		return errors.Join(fmt.Errorf("requests in flight at %s were cut off: %w", s.Address(), err), s.http.Close())
	}
	return nil
}

// close closes everything that the Server owns but the listener.
func (s *Server) close() error {
	err := s.rpc.close()
	for _, c := range s.config.Closers {
		err = errors.Join(err, c.Close())
	}
	return err
}

// limitAge closes old connections. For HTTP/2, net/http turns the header into a
// GOAWAY frame: requests in flight are answered, new ones need a new connection.
func (s *Server) limitAge(next http.Handler) http.Handler {
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

func (s *Server) route(routes http.Handler) http.Handler {
	g := newGate(s.config)
	unlimited := &budget{size: math.MaxInt64 / 2, maxWait: g.maxWait}
	probes := map[string]http.Handler{
		"/health/liveness":  g.http(g.health, unlimited, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})),
		"/health/readiness": g.http(g.health, unlimited, http.HandlerFunc(s.readiness)),
	}
	others := s.split(g.http(g.work, g.budget, routes), g.http(g.watching, g.budget, routes))
	overHTTP := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // a ServeMux would redirect paths with // or ..
		if probe := probes[r.URL.Path]; probe != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			probe.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
	if s.rpc == nil {
		return overHTTP
	}
	calls := s.split(g.grpc(g.work, g.budget, s.rpc), g.grpc(g.watching, g.budget, s.rpc))
	healthCalls := map[string]http.Handler{
		healthpb.Health_Check_FullMethodName: g.grpc(g.health, unlimited, s.rpc),
		healthpb.Health_Watch_FullMethodName: g.grpc(g.watches, unlimited, s.rpc),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// One connection can mix gRPC and other requests: decide for each request.
		switch h := healthCalls[r.URL.Path]; {
		case !isRPC(r):
			overHTTP.ServeHTTP(w, r)
		case h != nil:
			r.Body = http.MaxBytesReader(w, r.Body, maxHealthBody)
			h.ServeHTTP(w, r)
		default:
			calls.ServeHTTP(w, r)
		}
	})
}

// split passes watches to another handler than all other requests.
func (s *Server) split(others, watches http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.config.IsWatch != nil && s.config.IsWatch(r) {
			watches.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
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

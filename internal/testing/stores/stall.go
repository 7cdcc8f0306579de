package stores

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// Stall is a proxy before a store, at the level of TCP, that stops to forward in the
// middle of a request or an answer.
type Stall struct {
	// Address is host:port of the proxy.
	Address string
	// Dropped counts the connections with a limit to the client that the client has
	// closed.
	Dropped atomic.Int64

	backend  string
	up, down atomic.Int64
}

// unlimited is more than any test sends.
const unlimited = 1 << 40

// NewStall starts a proxy that forwards everything. It ends with the test, and so do
// its connections.
func NewStall(t testing.TB, backend string) *Stall {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &Stall{Address: l.Addr().String(), backend: backend}
	s.Forward()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(t.Context(), client)
		}
	}()
	return s
}

// Forward lets new connections pass.
func (s *Stall) Forward() { s.After(unlimited, unlimited) }

// After makes new connections stop after up bytes to the store, or down bytes to the
// client.
func (s *Stall) After(up, down int64) {
	s.up.Store(up)
	s.down.Store(down)
}

func (s *Stall) serve(ctx context.Context, client net.Conn) {
	store, err := net.Dial("tcp", s.backend)
	if err != nil {
		_ = client.Close()
		return
	}
	context.AfterFunc(ctx, func() {
		_ = client.Close()
		_ = store.Close()
	})
	down := s.down.Load()
	go func() {
		if n, _ := io.CopyN(client, store, down); n == down {
			return // stalled: the connection stays open
		}
		_ = client.Close()
	}()
	up := s.up.Load()
	if n, _ := io.CopyN(store, client, up); n == up {
		return // stalled, too
	}
	if down < unlimited {
		s.Dropped.Add(1)
	}
	_ = client.Close()
	_ = store.Close()
}

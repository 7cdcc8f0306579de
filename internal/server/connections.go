package server

import (
	"cmp"
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultConnections = 512
	// spareConnections are accepted beyond the limit if no connection is idle, so
	// that health probes can connect.
	spareConnections = 32
	// socketBytes is the size of each of the two buffers of a socket.
	socketBytes = 256 << 10
)

func (c Config) maxConnections() int { return cmp.Or(c.MaxConnections, defaultConnections) }

// connection is one connection of a caller.
type connection struct {
	since     time.Time
	held      atomic.Int64   // bytes of the budgets, since health has one of its own
	lingering *lingeringConn // nil for a connection that does not linger
}

type connectionKey struct{}

func withConnection(ctx context.Context, conn net.Conn) context.Context {
	lingering, _ := conn.(*lingeringConn)
	return context.WithValue(ctx, connectionKey{}, &connection{since: time.Now(), lingering: lingering})
}

// connections bounds the number of connections: a new one beyond the limit closes
// the one that is idle for the longest time.
type connections struct {
	max int

	mutex sync.Mutex
	all   map[net.Conn]*list.Element // its element in idle; nil for an active one
	idle  list.List                  // of net.Conn
}

// observe is the ConnState callback of the http.Server.
func (c *connections) observe(conn net.Conn, state http.ConnState) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	element, known := c.all[conn]
	if !known && state != http.StateNew {
		return // it was dropped
	}
	if element != nil {
		c.idle.Remove(element)
	}
	switch state {
	case http.StateNew:
		c.add(conn)
	case http.StateIdle:
		if lingering, ok := conn.(*lingeringConn); ok {
			lingering.unread.Store(false) // it is closed at once by drop
		}
		c.all[conn] = c.idle.PushBack(conn)
	case http.StateActive:
		c.all[conn] = nil
	default:
		delete(c.all, conn)
	}
}

func (c *connections) add(conn net.Conn) {
	if tcp, ok := conn.(*lingeringConn); ok {
		_, _ = tcp.SetReadBuffer(socketBytes), tcp.SetWriteBuffer(socketBytes)
	}
	if len(c.all) >= c.max {
		if first := c.idle.Front(); first != nil {
			c.drop(first.Value.(net.Conn), first)
		} else if len(c.all) >= c.max+spareConnections {
			_ = conn.Close()
			return
		}
	}
	c.all[conn] = c.idle.PushBack(conn)
}

func (c *connections) drop(conn net.Conn, element *list.Element) {
	c.idle.Remove(element)
	delete(c.all, conn)
	_ = conn.Close()
}

package server

import (
	"cmp"
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	defaultConnections = 512
	// spareConnections are taken beyond the bound when no other is idle, so that
	// a probe of the health finds a place.
	spareConnections = 32
	// socketBytes bounds what the system keeps for a connection, each way.
	socketBytes = 256 << 10
)

func (c Config) maxConnections() int { return cmp.Or(c.MaxConnections, defaultConnections) }

// connection is what is known of one.
type connection struct {
	since time.Time
	held  int64 // of the budget, whose mutex it is under
}

type connectionKey struct{}

func withConnection(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, &connection{since: time.Now()})
}

// connections bounds how many there are: one too many takes the place of the one
// that is idle for the longest time.
type connections struct {
	max int

	mutex sync.Mutex
	all   map[net.Conn]*list.Element // its place among the idle; nil of one that is not
	idle  list.List                  // of net.Conn
}

// observe is the ConnState of an http.Server.
func (c *connections) observe(conn net.Conn, state http.ConnState) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	place, known := c.all[conn]
	if !known && state != http.StateNew {
		return // it has lost its place
	}
	if place != nil {
		c.idle.Remove(place)
	}
	switch state {
	case http.StateNew:
		c.add(conn)
	case http.StateIdle:
		c.all[conn] = c.idle.PushBack(conn)
	case http.StateActive:
		c.all[conn] = nil
	default:
		delete(c.all, conn)
	}
}

func (c *connections) add(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
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

func (c *connections) drop(conn net.Conn, place *list.Element) {
	c.idle.Remove(place)
	delete(c.all, conn)
	_ = conn.Close()
}

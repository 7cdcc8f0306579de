package server

import (
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// lingerSilence is the time without a byte after which a caller is taken to send no more.
const lingerSilence = time.Second

// lingeringListener accepts connections that linger for at most a time.
type lingeringListener struct {
	net.Listener
	most time.Duration
}

// Accept returns the next connection.
func (l lingeringListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		return &lingeringConn{TCPConn: tcp, most: l.most}, nil
	}
	return conn, err
}

// lingeringConn is a connection whose last answer reaches also callers that send a request to its end before they read.
// If a connection is closed while bytes arrive, the kernel resets it, and such a caller loses the answer (RFC 9112, 9.6).
type lingeringConn struct {
	*net.TCPConn
	most time.Duration
	// unread means that the body of the last request was not read to its end, and that net/http does not know it.
	unread atomic.Bool
}

// CloseWrite ends the answer and discards what still arrives, until the caller closes the connection or is silent. net/http
// calls it before it closes a connection with an unread body.
func (c *lingeringConn) CloseWrite() error {
	c.unread.Store(false)
	if err := c.TCPConn.CloseWrite(); err != nil {
		return err
	}
	end, rest := time.Now().Add(c.most), make([]byte, 16<<10)
	for now := time.Now(); now.Before(end); now = time.Now() {
		if err := c.SetReadDeadline(now.Add(min(lingerSilence, end.Sub(now)))); err != nil {
			return err
		}
		if _, err := c.Read(rest); err != nil {
			break // the end of the request, or silence
		}
	}
	return nil
}

// Close closes the connection, after CloseWrite if the body of the last request still arrives.
func (c *lingeringConn) Close() error {
	if c.unread.Load() {
		_ = c.CloseWrite() // an error means that nothing arrives
	}
	return c.TCPConn.Close()
}

// closeUnread makes net/http write an error at once, and close the connection, while a body still arrives. Of unknown length,
// net/http would first wait for 256 KiB of the body, or its end. Of a request with Expect: 100-continue, which callers send
// also if they do not wait for that, it would not call CloseWrite.
func closeUnread(h http.Header, r *http.Request) {
	if r.ProtoMajor != 1 {
		return
	}
	if r.ContentLength < 0 {
		h.Set("Connection", "close")
	}
	conn, inServer := r.Context().Value(connectionKey{}).(*connection) // Require has handlers outside of a Server, too
	if inServer && conn.lingering != nil && r.ContentLength != 0 && r.Header.Get("Expect") != "" {
		conn.lingering.unread.Store(true)
	}
}

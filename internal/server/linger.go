package server

import (
	"net"
	"net/http"
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
		return &lingeringConn{tcp, l.most}, nil
	}
	return conn, err
}

// lingeringConn is a connection whose last answer reaches also callers that send a request to its end before they read.
// If a connection is closed while bytes arrive, the kernel resets it, and such a caller loses the answer (RFC 9112, 9.6).
type lingeringConn struct {
	*net.TCPConn
	most time.Duration
}

// CloseWrite ends the answer and discards what still arrives, until the caller closes the connection or is silent. net/http
// calls it before it closes a connection with an unread body.
func (c *lingeringConn) CloseWrite() error {
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

// closeUnread makes net/http write an error at once, and close the connection, while a body of unknown length still arrives.
// Otherwise it would first wait for 256 KiB of the body, or its end.
func closeUnread(h http.Header, r *http.Request) {
	if r.ProtoMajor == 1 && r.ContentLength < 0 {
		h.Set("Connection", "close")
	}
}

package server

import (
	"context"
	"encoding/binary"
	"io"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"imageflow.dev/internal/protolimit"
)

// messages is the body of a gRPC request: messages, before each a byte of flags
// and its length in four (gRPC over HTTP/2, Length-Prefixed-Message).
//
// In an http.Server, grpc reads a request as fast as it comes and keeps it all, in
// buffers that are as large for one byte as for many. For streams not to fill the
// memory, a message of a stream is read only when the handler asks for it, and a
// buffer is filled before grpc has it. Between two messages a stream rests: it
// holds nothing and may be silent.
type messages struct {
	*body
	check  *protolimit.Arriving
	asked  chan struct{} // nil where the method takes one message
	seen   bool          // the first one
	prefix [5]byte
	have   []byte // of the prefix, to be read by grpc
	rest   int64  // of the message
}

// Read reads a prefix, or as much of a message as there is place for.
func (m *messages) Read(p []byte) (n int, err error) {
	if m.rest == 0 && len(m.have) == 0 {
		err = m.next()
	}
	if len(m.have) > 0 && err == nil {
		n = copy(p, m.have)
		m.have = m.have[n:]
		return n, nil
	}
	p = p[:min(int64(len(p)), m.rest)]
	for n < len(p) && err == nil {
		var more int
		more, err = m.body.Read(p[n:])
		n += more
	}
	if m.rest -= int64(n); err == io.EOF && m.rest > 0 {
		err = io.ErrUnexpectedEOF
	}
	if invalid := m.check.Check(p[:n]); invalid != nil {
		return 0, m.fail(&refusal{http.StatusBadRequest, status.Convert(invalid)})
	}
	return n, err
}

// next reads the prefix of the next message. Of one message alone the sender must
// not let us wait; after it, nothing is read.
func (m *messages) next() error {
	m.endTurn()
	if m.asked == nil && m.seen {
		return io.EOF
	}
	first := m.prefix[:1]
	if m.asked != nil {
		if err := m.wait(); err != nil {
			return err
		}
	}
	for read := 0; read < len(m.prefix); {
		n, err := m.receive(first, m.asked != nil && read == 0)
		if read += n; err != nil && read < len(m.prefix) {
			if err == io.EOF && read > 0 {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		first = m.prefix[read:]
	}
	if m.prefix[0] != 0 { // the flag of compression is the only one
		return m.fail(errFlagged)
	}
	m.check.Reset()
	m.seen, m.have, m.rest = true, m.prefix[:], int64(binary.BigEndian.Uint32(m.prefix[1:]))
	return nil
}

// wait waits until the handler asks for the next message. What the one before
// holds is given back then, unless the handler has taken that over.
func (m *messages) wait() error {
	select {
	case <-m.asked:
	case <-m.ctx.Done():
		return m.ctx.Err()
	}
	m.account.Load().release()
	return nil
}

// messagesKey is the context key of a request's *messages.
type messagesKey struct{}

// calls is a guard of gRPC.
func (g *gate) calls(c *crowd, budget *budget, rpc *grpc.Server) http.Handler {
	streaming := streaming(rpc)
	return g.guard(c, budget, func(a *response, r *http.Request, b *body) {
		all := &messages{body: b, check: protolimit.NewArriving(r.URL.Path)}
		if streaming[r.URL.Path] {
			all.asked = make(chan struct{}, 1)
		}
		r = r.WithContext(context.WithValue(r.Context(), messagesKey{}, all))
		r.Body = all
		rpc.ServeHTTP(a, r)
		if why := a.refusal.Load(); why != nil {
			why.trailers(a.Header())
		}
	})
}

// streaming returns the methods of a server that take streams, by their paths.
func streaming(rpc *grpc.Server) map[string]bool {
	found := map[string]bool{}
	for service, info := range rpc.GetServiceInfo() {
		for _, method := range info.Methods {
			found["/"+service+"/"+method.Name] = method.IsClientStream
		}
	}
	return found
}

// OneByOne is the interceptor of streams that a gRPC server behind Listen must
// have: it lets the next message in when the handler asks for it. A handler that
// does not end with a message before it asks for the next one calls Keep of its
// stream.
func OneByOne(server any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if all, ok := s.Context().Value(messagesKey{}).(*messages); ok && all.asked != nil {
		s = asking{s, all}
	}
	return handle(server, s)
}

type asking struct {
	grpc.ServerStream
	from *messages
}

// RecvMsg asks for a message. The one before has come, so there is a place in the
// channel, or the stream has ended.
func (a asking) RecvMsg(m any) error {
	select {
	case a.from.asked <- struct{}{}:
	default:
	}
	return a.ServerStream.RecvMsg(m)
}

// Keep takes over what the message that RecvMsg has returned holds, until release.
func (a asking) Keep() (release func()) {
	kept := a.from.account.Load()
	a.from.account.Store(kept.budget.open(kept.conn))
	return kept.release
}

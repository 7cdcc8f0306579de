package server

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"imageflow.dev/internal/protolimit"
)

// framedBody is the body of a gRPC request: messages, each after a prefix of one
// byte of flags and four bytes of length (gRPC over HTTP/2, Length-Prefixed-Message).
//
// In an http.Server, grpc reads a request as fast as it arrives and keeps all of it,
// in buffers as large for one byte as for many. To bound that, a message of a
// stream is read only when the handler asks for it, and a buffer is filled before
// grpc receives it. Between two messages a stream is at rest: it holds nothing and
// may be silent.
type framedBody struct {
	*body
	check     *protolimit.Arriving
	requested chan struct{} // nil if the method takes one message
	seen      bool          // the first message
	prefix    [5]byte
	pending   []byte // the part of the prefix that grpc has not read
	rest      int64  // bytes of the message that grpc has not read
}

// Read reads a prefix, or as much of a message as the budget allows.
func (f *framedBody) Read(p []byte) (n int, err error) {
	if f.rest == 0 && len(f.pending) == 0 {
		err = f.next()
	}
	if len(f.pending) > 0 && err == nil {
		n = copy(p, f.pending)
		f.pending = f.pending[n:]
		return n, nil
	}
	p = p[:min(int64(len(p)), f.rest)]
	for n < len(p) && err == nil {
		var more int
		more, err = f.body.Read(p[n:])
		n += more
	}
	if f.rest -= int64(n); errors.Is(err, io.EOF) && f.rest > 0 {
		err = io.ErrUnexpectedEOF
	}
	if invalid := f.check.Check(p[:n]); invalid != nil {
		return 0, f.noteRefusal(&refusal{http.StatusBadRequest, status.Convert(invalid)})
	}
	return n, err
}

// next reads the prefix of the next message. A unary call has one message, which
// must arrive without a rest; nothing is read after it.
func (f *framedBody) next() error {
	f.releaseTurn()
	if f.requested == nil && f.seen {
		return io.EOF
	}
	if f.requested != nil {
		if err := f.awaitRequest(); err != nil {
			return err
		}
	}
	if err := f.readPrefix(); err != nil {
		return err
	}
	if f.prefix[0] != 0 { // compression is the only flag
		return f.noteRefusal(errCompressed)
	}
	f.check.Reset()
	f.seen, f.pending, f.rest = true, f.prefix[:], int64(binary.BigEndian.Uint32(f.prefix[1:]))
	return nil
}

// readPrefix reads the first byte alone: a stream is at rest until it arrives.
func (f *framedBody) readPrefix() error {
	part := f.prefix[:1]
	for read := 0; read < len(f.prefix); {
		n, err := f.receive(part, f.requested != nil && read == 0)
		if read += n; err != nil && read < len(f.prefix) {
			if errors.Is(err, io.EOF) && read > 0 {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		part = f.prefix[read:]
	}
	return nil
}

// awaitRequest waits until the handler asks for the next message. Then it returns
// the bytes of the previous message to the budget, unless the handler keeps them.
func (f *framedBody) awaitRequest() error {
	select {
	case <-f.requested:
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
	f.account.Load().release()
	return nil
}

// framedBodyKey is the context key of the *framedBody of a request.
type framedBodyKey struct{}

// grpc limits gRPC requests.
func (g *gate) grpc(n *inFlight, budget *budget, rpc *RPC) http.Handler {
	streams := clientStreams(rpc)
	return g.limit(n, budget, func(a *response, r *http.Request, b *body) {
		framed := &framedBody{body: b, check: protolimit.NewArriving(r.URL.Path)}
		if streams[r.URL.Path] {
			framed.requested = make(chan struct{}, 1)
		}
		r = r.WithContext(context.WithValue(r.Context(), framedBodyKey{}, framed))
		r.Body = framed
		rpc.grpc.ServeHTTP(a, r)
		if why := a.refusal.Load(); why != nil {
			why.setTrailers(a.Header())
		}
		if !a.begun {
			endTrailersOnly(a.Header())
		}
	})
}

// clientStreams returns the paths of the methods that take a stream.
func clientStreams(rpc *RPC) map[string]bool {
	found := map[string]bool{}
	for service, info := range rpc.GetServiceInfo() {
		for _, method := range info.Methods {
			found["/"+service+"/"+method.Name] = method.IsClientStream
		}
	}
	return found
}

// controlFlow is an interceptor: it lets the next message of a stream in when the
// handler asks for it. A handler that still uses a message when it asks for the next
// one calls Keep of its stream.
func controlFlow(server any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if framed, ok := s.Context().Value(framedBodyKey{}).(*framedBody); ok && framed.requested != nil {
		s = controlledStream{s, framed}
	}
	return handle(server, s)
}

type controlledStream struct {
	grpc.ServerStream
	body *framedBody
}

// RecvMsg requests a message and receives it. The channel has a free slot, because
// the previous message has arrived, or the stream has ended.
func (s controlledStream) RecvMsg(m any) error {
	select {
	case s.body.requested <- struct{}{}:
	default:
	}
	return s.ServerStream.RecvMsg(m)
}

// Keep keeps the bytes of the message that RecvMsg returned charged to the budget
// until release is called.
func (s controlledStream) Keep() (release func()) {
	kept := s.body.account.Load()
	s.body.account.Store(kept.budget.open(kept.conn))
	return kept.release
}

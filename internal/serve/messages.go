package serve

import (
	"context"
	"encoding/binary"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// messages is the body of a gRPC request: messages, before each a byte of flags
// and its length in four (gRPC over HTTP/2, Length-Prefixed-Message).
//
// In an http.Server, grpc reads a request as fast as it comes and keeps it all.
// For the large streams of few callers not to fill the memory, a message of a
// stream is read only when the handler asks for it.
type messages struct {
	*body
	asked  chan struct{} // nil where the method takes one message
	prefix [5]byte
	have   int   // of the prefix
	rest   int64 // of the message
	// refusal is why the rest of the body is not read.
	refusal *refusal
}

func (m *messages) Read(p []byte) (int, error) {
	if m.rest > 0 {
		n, err := m.ReadCloser.Read(p[:min(int64(len(p)), m.rest)])
		m.rest -= int64(n)
		return n, err
	}
	n, err := m.ReadCloser.Read(p[:min(len(p), len(m.prefix)-m.have)])
	copy(m.prefix[m.have:], p[:n])
	if m.have += n; m.have == len(m.prefix) {
		if m.prefix[0] != 0 { // the flag of compression is the only one
			m.refusal = &refusal{codes.Unimplemented, "compressed messages are not accepted; send messages without compression"}
			return 0, m.refusal
		}
		m.have, m.rest = 0, int64(binary.BigEndian.Uint32(m.prefix[1:]))
		if waited := m.wait(); err == nil {
			err = waited
		}
	}
	return n, err
}

// wait waits until the handler asks for the message and there is room for it.
func (m *messages) wait() error {
	if m.asked != nil {
		select {
		case <-m.asked:
		case <-m.request.Context().Done():
			return m.request.Context().Err()
		}
	}
	return m.take(m.rest)
}

// messagesKey is the context key of a request's *messages.
type messagesKey struct{}

// guardRPC is guard for gRPC; streaming tells the methods that take streams.
func (m room) guardRPC(rpc http.Handler, streaming map[string]bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all := &messages{body: &body{ReadCloser: r.Body, room: m, request: r}}
		defer all.leave()
		if streaming[r.URL.Path] {
			all.asked = make(chan struct{}, 1)
		}
		r = r.WithContext(context.WithValue(r.Context(), messagesKey{}, all))
		r.Body = all
		rpc.ServeHTTP(w, r)
		if all.refusal != nil {
			all.refusal.overwrite(w.Header())
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
// have: it lets the next message in when the handler asks for it.
func OneByOne(server any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if all, ok := s.Context().Value(messagesKey{}).(*messages); ok && all.asked != nil {
		s = asking{s, all.asked}
	}
	return handle(server, s)
}

type asking struct {
	grpc.ServerStream
	asked chan<- struct{}
}

// RecvMsg asks for a message. The one before has come, so there is a place in the
// channel, or the stream has ended.
func (a asking) RecvMsg(m any) error {
	select {
	case a.asked <- struct{}{}:
	default:
	}
	return a.ServerStream.RecvMsg(m)
}

package server_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// wire is an HTTP/2 client under the full control of a test: it acknowledges nothing and
// opens no window by itself.
type wire struct {
	t       *testing.T
	conn    net.Conn
	framer  *http2.Framer
	headers bytes.Buffer
	encoder *hpack.Encoder
	stream  uint32 // id of the next stream
	writes  sync.Mutex
}

// timeout bounds the waits of a test. No test depends on its length.
const timeout = 30 * time.Second

func dialWire(t *testing.T, address string, settings ...http2.Setting) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	w := &wire{t: t, conn: conn, framer: http2.NewFramer(conn, conn), stream: 1}
	w.encoder = hpack.NewEncoder(&w.headers)
	w.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	if err := w.framer.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return w
}

// open begins a POST request and returns its stream. headers are names and values.
func (w *wire) open(path, contentType string, headers ...string) uint32 {
	w.t.Helper()
	stream := w.stream
	w.stream += 2
	w.headers.Reset()
	all := append([]string{":method", "POST", ":scheme", "http", ":authority", "test", ":path", path, "content-type",
		contentType, "te", "trailers"}, headers...)
	for i := 0; i < len(all); i += 2 {
		_ = w.encoder.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1]})
	}
	if err := w.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: w.headers.Bytes(),
		EndHeaders: true}); err != nil {
		w.t.Fatal(err)
	}
	return stream
}

// send sends data in frames and ignores windows. It reports whether all writes to the
// connection succeeded.
func (w *wire) send(stream uint32, data []byte, end bool) bool {
	w.writes.Lock()
	defer w.writes.Unlock()
	for len(data) > 16<<10 {
		if w.framer.WriteData(stream, false, data[:16<<10]) != nil {
			return false
		}
		data = data[16<<10:]
	}
	return w.framer.WriteData(stream, end, data) == nil
}

// prefix returns the prefix of a gRPC message.
func prefix(flags byte, length uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{flags}, length)
}

// settle waits until the server has received everything that was sent.
func (w *wire) settle() {
	w.t.Helper()
	_ = w.framer.WritePing(false, [8]byte{1})
	_ = w.conn.SetReadDeadline(time.Now().Add(timeout))
	for {
		frame, err := w.framer.ReadFrame()
		if err != nil {
			w.t.Fatalf("no answer to a ping: %v", err)
		}
		if ping, ok := frame.(*http2.PingFrame); ok && ping.IsAck() {
			return
		}
	}
}

// answered reads until a message comes on a stream.
func (w *wire) answered(stream uint32) {
	w.t.Helper()
	_ = w.conn.SetReadDeadline(time.Now().Add(timeout))
	for {
		frame, err := w.framer.ReadFrame()
		if err != nil {
			w.t.Fatalf("stream %d has no answer: %v", stream, err)
		}
		if _, isData := frame.(*http2.DataFrame); isData && frame.Header().StreamID == stream {
			return
		}
	}
}

// ended reads until a stream has ended, and returns its headers and trailers, and the types of its frames as "frames".
func (w *wire) ended(stream uint32) map[string]string {
	w.t.Helper()
	got := map[string]string{}
	_ = w.conn.SetReadDeadline(time.Now().Add(timeout))
	for {
		frame, err := w.framer.ReadFrame()
		if err != nil {
			w.t.Fatalf("stream %d has not ended: %v", stream, err)
		}
		if h := frame.Header(); h.StreamID == stream && h.Type != http2.FrameWindowUpdate {
			got["frames"] = strings.TrimSpace(got["frames"] + " " + h.Type.String())
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID == stream {
				for _, h := range f.Fields {
					got[h.Name] = h.Value
				}
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				got["reset"] = f.ErrCode.String()
				return got
			}
		}
		if h := frame.Header(); h.StreamID == stream && h.Type != http2.FrameRSTStream && h.Flags.Has(http2.FlagDataEndStream) {
			return got
		}
	}
}

package serve_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// wire is an HTTP/2 client that sends what a test tells it to send, and no more:
// it acknowledges settings, but never opens a window by itself.
type wire struct {
	t       *testing.T
	conn    net.Conn
	framer  *http2.Framer
	headers bytes.Buffer
	encoder *hpack.Encoder
	stream  uint32 // the last one
}

// patience bounds what a test waits for; no test depends on its length.
const patience = 30 * time.Second

func dialWire(t *testing.T, address string, settings ...http2.Setting) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	w := &wire{t: t, conn: conn, framer: http2.NewFramer(conn, conn)}
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

// open begins a POST and returns its stream. The rest are names and values of headers.
func (w *wire) open(path, contentType string, headers ...string) uint32 {
	w.t.Helper()
	w.stream = max(w.stream+2, 1) | 1
	w.headers.Reset()
	all := append([]string{":method", "POST", ":scheme", "http", ":authority", "test", ":path", path, "content-type", contentType, "te", "trailers"}, headers...)
	for i := 0; i < len(all); i += 2 {
		_ = w.encoder.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1]})
	}
	if err := w.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: w.stream, BlockFragment: w.headers.Bytes(), EndHeaders: true}); err != nil {
		w.t.Fatal(err)
	}
	return w.stream
}

// send sends data in frames, without regard to windows. It reports whether the
// connection took them.
func (w *wire) send(stream uint32, data []byte, end bool) bool {
	for len(data) > 16<<10 {
		if w.framer.WriteData(stream, false, data[:16<<10]) != nil {
			return false
		}
		data = data[16<<10:]
	}
	return w.framer.WriteData(stream, end, data) == nil
}

// prefix is that of a gRPC message.
func prefix(flags byte, length uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{flags}, length)
}

// ended reads until a stream has ended, and returns its headers and trailers.
func (w *wire) ended(stream uint32) map[string]string {
	w.t.Helper()
	got := map[string]string{}
	_ = w.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		frame, err := w.framer.ReadFrame()
		if err != nil {
			w.t.Fatalf("stream %d has not ended: %v", stream, err)
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = w.framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			_ = w.framer.WritePing(true, f.Data)
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

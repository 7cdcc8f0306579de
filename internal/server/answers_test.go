package server_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"imageflow.dev/internal/server"
	"imageflow.dev/internal/testing/grpctest"
)

// largeAnswer is the size of the answers below. answerBytes is less than two of them.
const (
	largeAnswer = 2 * server.Chunk
	answerBytes = 3 * server.Chunk
)

// large is the handler of a gRPC method with a large answer.
func large(_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
	m := &wrapperspb.BytesValue{}
	if err := decode(m); err != nil {
		return nil, err
	}
	return intercept(ctx, m, &grpc.UnaryServerInfo{}, func(context.Context, any) (any, error) {
		return wrapperspb.Bytes(make([]byte, largeAnswer)), nil
	})
}

// listenLarge serves large answers over gRPC and at /v1/large. Other requests are read
// and have empty answers.
func listenLarge(t *testing.T, c server.Config) (address string) {
	t.Helper()
	rpc := server.NewRPC(server.RPCConfig{})
	rpc.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Large", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "Get", Handler: large}},
	}, nil)
	c.BodyBytes, c.AnswerBytes = 1<<20, answerBytes
	return listen(t, c, rpc, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/large" {
			_, _ = w.Write(make([]byte, largeAnswer))
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}))
}

// openUnread opens calls of a path on one connection. The windows of their answers are
// only large enough for a refusal.
func openUnread(t *testing.T, address, path string, calls int) *wire {
	t.Helper()
	c := dialWire(t, address, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 10})
	contentType := rpcType
	if path == "/v1/large" {
		contentType = "application/octet-stream"
	}
	for range calls {
		c.send(c.open(path, contentType), prefix(0, 0), true)
	}
	return c
}

var largePaths = []string{"/test.Large/Get", "/v1/large"}

// One large answer that is not read is written, one waits, and all others are refused as
// busy. Requests with small answers are served.
func TestAnswerBytes_boundsUnreadAnswers(t *testing.T) {
	for _, path := range largePaths {
		address := listenLarge(t, server.Config{}.WithPace(long, long, long, long))
		const calls = 6
		c := openUnread(t, address, path, calls)
		for _, got := range c.ends(calls - 2) {
			if got[":status"] != "429" && got["grpc-status"] != "8" {
				t.Errorf("%s: %v", path, got)
			}
		}
		if got := post(t, address, 4<<20); got != http.StatusOK {
			t.Errorf("%s: a large body beside unread answers: %d", path, got)
		}
		if got := post(t, address, 1); got != http.StatusOK {
			t.Errorf("%s: a small body: %d", path, got)
		}
	}
}

// ends reads until n streams have ended, and returns their headers.
func (w *wire) ends(n int) (ended []map[string]string) {
	w.t.Helper()
	all := map[uint32]map[string]string{}
	_ = w.conn.SetReadDeadline(time.Now().Add(timeout))
	for len(ended) < n {
		frame, err := w.framer.ReadFrame()
		if err != nil {
			w.t.Fatalf("%d streams have ended: %v", len(ended), err)
		}
		h := frame.Header()
		if f, ok := frame.(*http2.MetaHeadersFrame); ok {
			all[h.StreamID] = map[string]string{}
			for _, field := range f.Fields {
				all[h.StreamID][field.Name] = field.Value
			}
		}
		if (h.Type == http2.FrameHeaders || h.Type == http2.FrameData) && h.Flags.Has(http2.FlagDataEndStream) {
			ended = append(ended, all[h.StreamID])
		}
	}
	return ended
}

// awaitAnswer reads until an answer begins.
func (w *wire) awaitAnswer() {
	w.t.Helper()
	_ = w.conn.SetReadDeadline(time.Now().Add(timeout))
	for {
		frame, err := w.framer.ReadFrame()
		if err != nil {
			w.t.Fatalf("no answer begins: %v", err)
		}
		if _, ok := frame.(*http2.MetaHeadersFrame); ok {
			return
		}
	}
}

// Callers that do not read their answers are cut off for callers that read.
func TestAnswerBytes_unreadAnswersAreCutOffForOthers(t *testing.T) {
	for _, path := range largePaths {
		address := listenLarge(t, server.Config{}.WithPace(long, 200*time.Millisecond, long, long))
		c := openUnread(t, address, path, 1)
		c.awaitAnswer()
		client := http.Client{Timeout: timeout}
		resp, err := client.Post("http://"+address+"/v1/large", "text/plain", bytes.NewReader(nil))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); n != largeAnswer || err != nil {
			t.Errorf("%s: a caller that reads gets %d bytes, %v", path, n, err)
		}
		resp.Body.Close()
		m := &wrapperspb.BytesValue{}
		err = grpctest.Dial(t, address).Invoke(t.Context(), "/test.Large/Get", m, m)
		if err != nil || len(m.GetValue()) != largeAnswer {
			t.Errorf("%s: a gRPC caller that reads gets %d bytes, %v", path, len(m.GetValue()), err)
		}
		if got := c.ended(1); got["reset"] == "" {
			t.Errorf("%s: the caller that does not read: %v", path, got)
		}
	}
}

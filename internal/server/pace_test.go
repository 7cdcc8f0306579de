package server_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"imageflow.dev/internal/server"
	"imageflow.dev/internal/testing/grpctest"
)

// long is a time that no test reaches.
const long = time.Hour

// discard reads a body to its end and answers.
var discard = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, strings.Repeat("x", int(n)))
})

// post posts n bytes on a new connection and returns the status. A server may close idle
// connections at any time, so a POST on a kept one can fail.
func post(t *testing.T, address string, n int) int {
	t.Helper()
	client := http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post("http://"+address+"/v1/x", "application/octet-stream", bytes.NewReader(make([]byte, n)))
	if err != nil {
		t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	return resp.StatusCode
}

// Declared bytes that do not arrive take no budget from others.
func TestBodyBytes_silentCallersHoldNothing(t *testing.T) {
	const budget = 4 << 20
	address := listen(t, server.Config{BodyBytes: budget}.WithPace(long, long, long, long), echo(), discard)
	c := dialWire(t, address)
	for range 30 {
		c.send(c.open("/test.Echo/Once", rpcType), prefix(0, budget), false)
		c.send(c.open("/test.Echo/Many", rpcType), prefix(0, budget), false)
		c.open("/v1/x", "application/json", "content-length", "4000000")
	}
	for range 3 {
		if got := post(t, address, budget); got != http.StatusOK {
			t.Errorf("a body of the whole budget: %d", got)
		}
	}
}

func TestPace_cutsOffSilentAndSlowSenders(t *testing.T) {
	t.Parallel()
	address := listen(t, server.Config{BodyBytes: 1 << 20, MinBodyRate: 1 << 20}.WithPace(300*time.Millisecond, long, long,
		long), echo(), discard)
	for name, trickles := range map[string]bool{"silent": false, "slow": true} {
		for _, path := range []string{"/test.Echo/Once", "/test.Echo/Many", "/v1/x"} {
			c := dialWire(t, address)
			contentType, begin := rpcType, append(prefix(0, 1<<20), "half"...)
			if path == "/v1/x" {
				contentType = "application/json"
			}
			stream := c.open(path, contentType)
			c.send(stream, begin, false)
			var sender sync.WaitGroup
			done := make(chan struct{})
			if trickles {
				sender.Go(func() { c.trickle(stream, done) })
			}
			got := c.ended(stream)
			close(done)
			sender.Wait()
			text := got["grpc-message"]
			if contentType == rpcType && (got["grpc-status"] != "4" || !strings.Contains(text, "MIN_BODY_RATE")) ||
				contentType != rpcType && got[":status"] != "408" {
				t.Errorf("%s, %s: %v", name, path, got)
			}
		}
	}
}

// trickle sends one byte every 20 ms until done is closed.
func (w *wire) trickle(stream uint32, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(20 * time.Millisecond):
			w.send(stream, []byte{0}, false)
		}
	}
}

// HTTP/2 callers that open no window for their answers are cut off, and their part of the
// budget is released.
func TestPace_cutsOffUnreadAnswers(t *testing.T) {
	t.Parallel()
	const size = 60 << 10
	address := listen(t, server.Config{BodyBytes: size}.WithPace(300*time.Millisecond, 100*time.Millisecond, long, long),
		echo(), discard)
	for _, path := range []string{"/test.Echo/Once", "/test.Echo/Many", "/v1/x"} {
		c := dialWire(t, address, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		contentType := rpcType
		if path == "/v1/x" {
			contentType = "application/octet-stream"
		}
		stream := c.open(path, contentType)
		message := append([]byte{0x0a, 0x80, 0xc0, 0x03}, make([]byte, 57344)...) // a BytesValue
		c.send(stream, append(prefix(0, uint32(len(message))), message...), path != "/test.Echo/Many")
		if got := c.ended(stream); got["reset"] == "" {
			t.Errorf("%s: %v", path, got)
		}
	}
	if got := post(t, address, 1<<20); got != http.StatusOK {
		t.Errorf("afterwards: %d", got)
	}
}

// A silent caller that holds bytes others wait for is cut off earlier than one that
// holds nothing.
func TestPace_cutsOffSilentHoldersFirst(t *testing.T) {
	t.Parallel()
	address := listen(t, server.Config{BodyBytes: 1 << 20}.WithPace(long, 200*time.Millisecond, long, 6*time.Second),
		echo(), discard)
	resting := dialWire(t, address)
	stream := resting.open("/test.Echo/Many", rpcType)
	ends := make([]*io.PipeWriter, 4)
	var senders sync.WaitGroup
	for i := range ends {
		var body *io.PipeReader
		body, ends[i] = io.Pipe()
		senders.Go(func() {
			if resp, err := http.Post("http://"+address+"/v1/x", "text/plain", body); err == nil {
				resp.Body.Close()
			}
		})
		_, _ = ends[i].Write(make([]byte, 2*server.Chunk))
	}
	if got := post(t, address, 2<<20); got != http.StatusOK {
		t.Errorf("beside silent callers: %d", got)
	}
	for _, end := range ends {
		end.Close()
	}
	senders.Wait()
	resting.send(stream, append(prefix(0, 3), "\n\x01x"...), true)
	if got := resting.ended(stream); got["grpc-status"] != "0" {
		t.Errorf("the stream at rest: %v", got)
	}
}

// Bodies as large as the budget are all read, although they start together and arrive in
// small parts.
func TestBodyBytes_halfReadBodiesDoNotDeadlock(t *testing.T) {
	address := listen(t, server.Config{BodyBytes: 1 << 20, AnswerBytes: 32 << 20}.WithPace(long, long, long, long), echo(), discard)
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if got := post(t, address, 1<<20); got != http.StatusOK {
				t.Errorf("got %d", got)
			}
		})
	}
	conn := grpctest.Dial(t, address)
	for range 12 {
		all.Go(func() {
			m := wrapperspb.Bytes(make([]byte, 1<<20))
			if err := conn.Invoke(t.Context(), "/test.Echo/Once", m, m, grpc.MaxCallRecvMsgSize(2<<20)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestBodyBytes_refusesAsBusyAfterMaxWait(t *testing.T) {
	t.Parallel()
	read, proceed := make(chan struct{}, 1), make(chan struct{})
	address := listen(t, server.Config{BodyBytes: 1 << 10}.WithPace(long, long, long, 600*time.Millisecond), echo(),
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err == nil {
				read <- struct{}{}
				<-proceed
			}
		}))
	var exempt sync.WaitGroup
	exempt.Go(func() { post(t, address, 1<<20) })
	<-read
	defer exempt.Wait()
	defer close(proceed)
	if got := post(t, address, 1<<20); got != http.StatusTooManyRequests {
		t.Errorf("a body beyond the budget and the exempt body: %d", got)
	}
	conn := grpctest.Dial(t, address)
	m := wrapperspb.Bytes(make([]byte, 1<<20))
	if err := conn.Invoke(t.Context(), "/test.Echo/Once", m, m); !strings.Contains(err.Error(), "ResourceExhausted") ||
		!strings.Contains(err.Error(), "try again") {
		t.Errorf("gRPC: %v", err)
	}
}

// openMany opens a stream of the echo service.
func openMany(t *testing.T, address string) grpc.ClientStream {
	t.Helper()
	stream, err := grpctest.Dial(t, address).NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		"/test.Echo/Many")
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// trickle returns a body of n pieces of size bytes, with a pause after each.
func trickle(n, size int, pause time.Duration) io.Reader {
	body, end := io.Pipe()
	go func() {
		defer end.Close()
		for range n {
			_, _ = end.Write(make([]byte, size))
			time.Sleep(pause)
		}
	}()
	return body
}

// A body with pauses that keeps the rate, a stream at rest, and a caller that waits for
// its answer for longer than the grace period are not cut off.
func TestPace_acceptsSlowLegitimateCallers(t *testing.T) {
	t.Parallel()
	const grace = time.Second
	address := listen(t, server.Config{BodyBytes: 1 << 20, MinBodyRate: 16 << 10}.WithPace(grace, long, long, long), echo(),
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			discard(w, r)
			if r.URL.Path == "/v1/long" {
				time.Sleep(2 * grace)
			}
		}))
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { // 128 KiB in 4 s: twice the rate
		body := trickle(40, 128<<10/40, grace/10)
		resp, err := http.Post("http://"+address+"/v1/x", "text/plain", body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("the slow body: %v, %v", resp, err)
		}
	})
	all.Go(func() {
		for _, h2 := range []bool{false, true} {
			resp, err := clientOf(h2).Post("http://"+address+"/v1/long", "text/plain", strings.NewReader("x"))
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("the slow answer: %v, %v", resp, err)
			}
		}
	})
	stream := openMany(t, address)
	for range 2 {
		time.Sleep(2 * grace)
		m := wrapperspb.Bytes(make([]byte, 100<<10))
		if err := stream.SendMsg(m); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(m); err != nil {
			t.Fatalf("the stream at rest: %v", err)
		}
	}
}

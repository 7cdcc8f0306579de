package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"imageflow.dev/internal/server"
)

// refuseAll answers without reading the body.
var refuseAll = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "too large", http.StatusRequestEntityTooLarge)
})

// dialPost opens a connection and sends the header of a POST with these further lines.
func dialPost(t *testing.T, address, headers string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(timeout))
	fmt.Fprintf(conn, "POST /v1/x HTTP/1.1\r\nHost: test\r\n%s\r\n", headers)
	return conn
}

// statusOf reads an answer and returns its status, or 0.
func statusOf(conn io.Reader) int {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// Python's HTTP clients send all of a request before they read the answer.
func TestListen_answersCallersThatSendBeforeTheyRead(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	address := listen(t, server.Config{BodyBytes: 1 << 20}, echo(), refuseAll)
	for _, headers := range []string{
		fmt.Sprintf("Content-Length: %d\r\n", size),
		fmt.Sprintf("Content-Length: %d\r\nContent-Encoding: gzip\r\n", size),
		fmt.Sprintf("Content-Length: %d\r\nExpect: 100-continue\r\n", size), // curl waits for an answer, but not for long
		"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n",
	} {
		conn := dialPost(t, address, headers)
		part := make([]byte, 1<<20)
		for range size / len(part) {
			if _, err := conn.Write(part); err != nil {
				t.Fatalf("%q: the body: %v", headers, err)
			}
		}
		if got := statusOf(conn); got < 400 {
			t.Errorf("%q: got status %d", headers, got)
		}
	}
}

// An error is no reason to wait for the rest of a body.
func TestListen_answersUnfinishedChunksAtOnce(t *testing.T) {
	t.Parallel()
	address := listen(t, server.Config{BodyBytes: 1 << 20}.WithPace(long, long, long, long), echo(), refuseAll)
	for _, headers := range []string{"", "Content-Encoding: gzip\r\n"} {
		conn := dialPost(t, address, headers+"Transfer-Encoding: chunked\r\n")
		fmt.Fprint(conn, "5\r\nhello\r\n")
		if got := statusOf(conn); got < 400 {
			t.Errorf("%q: got status %d", headers, got)
		}
	}
}

// A caller that neither sends nor closes, and one that sends without end, are cut off.
func TestListen_lingersNotForever(t *testing.T) {
	t.Parallel()
	address := listen(t, server.Config{BodyBytes: 1 << 20}.WithPace(2*time.Second, long, long, long), echo(), refuseAll)
	for name, pause := range map[string]time.Duration{"silent": timeout, "sending": 10 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dialPost(t, address, "Content-Length: 1000000000\r\n")
			if got := statusOf(conn); got != http.StatusRequestEntityTooLarge {
				t.Errorf("got status %d", got)
			}
			for start := time.Now(); ; time.Sleep(min(pause, 3*time.Second)) {
				if _, err := conn.Write([]byte("x")); err != nil {
					return
				}
				if time.Since(start) > timeout/2 {
					t.Fatal("the connection is open yet")
				}
			}
		})
	}
}

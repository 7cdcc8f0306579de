package scenario

import (
	"bytes"
	"io"
	"net"
	"testing"
)

// stallingStore is a store that sends only a part of objects under stall/ and then stalls.
type stallingStore struct{ address string }

func newStallingStore(t *testing.T, store string) *stallingStore {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go stallIfAsked(conn, store)
		}
	}()
	return &stallingStore{listener.Addr().String()}
}

// passRequests passes what a caller sends, and reports a request for an object under stall/.
func passRequests(from, to net.Conn, stalls chan<- bool) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if bytes.HasPrefix(buffer[:n], []byte("GET /"+bucket+"/stall/")) {
				select {
				case stalls <- true:
				default:
				}
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func stallIfAsked(from net.Conn, store string) {
	defer from.Close()
	to, err := net.Dial("tcp", store)
	if err != nil {
		return
	}
	defer to.Close()
	stalls := make(chan bool, 1)
	go passRequests(from, to, stalls)
	buffer := make([]byte, 16<<10)
	for {
		n, err := to.Read(buffer)
		if err != nil {
			return
		}
		if _, err := from.Write(buffer[:n]); err != nil {
			return
		}
		select {
		case <-stalls:
			_, _ = io.Copy(io.Discard, from) // until the caller gives up
			return
		default:
		}
	}
}

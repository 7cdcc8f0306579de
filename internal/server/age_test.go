package server_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/health"

	"imageflow.dev/internal/server"
)

// reuses sends a request by a protocol and reports whether it used a connection of before.
func reuses(t *testing.T, client *http.Client, address, protocol string) (reused bool) {
	t.Helper()
	ctx := httptrace.WithClientTrace(t.Context(),
		&httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }})
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != protocol {
		t.Errorf("%s: got %q, %v", protocol, body, err)
	}
	return reused
}

// The first answer after the maximum age is the last one of a connection, over both
// protocols. No request fails because of that.
func TestMaxConnectionAge_closesOldConnections(t *testing.T) {
	t.Parallel()
	const age = 200 * time.Millisecond
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		for _, limit := range []time.Duration{age, 0} {
			s, err := server.Listen(server.Config{Address: "127.0.0.1:0", MaxConnectionAge: limit}, nil,
				http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }), health.NewServer())
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = s.Run(t.Context()) }()
			client := clientOf(h2)
			ask := func() bool { return reuses(t, client, s.Address(), name) }
			if ask() || !ask() {
				t.Errorf("%s: a young connection is not reused", name)
			}
			time.Sleep(age + 50*time.Millisecond)
			if !ask() {
				t.Errorf("%s: the last request did not use the old connection", name)
			}
			got, want := ask(), limit == 0
			for deadline := time.Now().Add(timeout); got != want && time.Now().Before(deadline); got = ask() {
				time.Sleep(10 * time.Millisecond) // until the client has received the GOAWAY
			}
			if got != want {
				t.Errorf("%s, age %v: the old connection is reused: %v, want %v", name, limit, got, want)
			}
		}
	}
}

func clientOf(h2 bool) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(!h2)
	protocols.SetUnencryptedHTTP2(h2)
	return &http.Client{Transport: &http.Transport{Protocols: &protocols}}
}

func TestListen_limitsHeaders(t *testing.T) {
	t.Parallel()
	s, err := server.Listen(server.Config{Address: "127.0.0.1:0"}, nil, http.NotFoundHandler(), health.NewServer())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = s.Run(ctx) }()
	for _, h2 := range []bool{false, true} {
		req, _ := http.NewRequest(http.MethodGet, "http://"+s.Address()+"/health/liveness", nil)
		req.Header.Set("X", strings.Repeat("x", 200<<10))
		resp, err := clientOf(h2).Do(req)
		if err != nil {
			continue // the server may reset the stream
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("HTTP/2 %v: got %d", h2, resp.StatusCode)
		}
	}
}

func TestHealth_overHTTP(t *testing.T) {
	h := health.NewServer()
	s, err := server.Listen(server.Config{Address: "127.0.0.1:0"}, nil, http.NotFoundHandler(), h)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Run(t.Context()) }()
	get := func(path string) int {
		resp, err := http.Get("http://" + s.Address() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if get("/health/liveness") != 200 || get("/health/readiness") != 200 {
		t.Error("a serving server is not alive and ready")
	}
	h.Shutdown()
	if get("/health/liveness") != 200 || get("/health/readiness") != 503 {
		t.Error("a draining server must be alive and not ready")
	}
}

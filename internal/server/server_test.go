package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"imageflow.dev/internal/server"
	"imageflow.dev/internal/testing/grpctest"
)

// start serves gRPC health and a route that blocks until release is closed.
func start(t *testing.T) (address string, stop func(), entered chan struct{}, release chan struct{}, done chan error) {
	t.Helper()
	h := health.NewServer()
	rpc := server.NewRPC(server.RPCConfig{})
	entered, release, done = make(chan struct{}), make(chan struct{}), make(chan error, 1)
	routes := http.NewServeMux()
	routes.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "finished")
	})
	s, err := server.Listen(server.Config{
		Address: "127.0.0.1:0", DrainDelay: time.Second, DrainTimeout: timeout,
	}, rpc, routes, h)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- s.Run(ctx) }()
	return s.Address(), cancel, entered, release, done
}

// getSlow calls /slow and sends the body of the answer, or the error.
func getSlow(address string) <-chan string {
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + address + "/slow")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	return answer
}

func TestRun_drainAnnouncesAndLetsCallsFinish(t *testing.T) {
	t.Parallel()
	address, stop, entered, release, done := start(t)
	conn := grpctest.Dial(t, address)
	check := func() healthpb.HealthCheckResponse_ServingStatus {
		answer, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return answer.GetStatus()
	}
	if got := check(); got != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("before the drain: %v", got)
	}

	answer := getSlow(address)
	<-entered
	stop()
	for check() != healthpb.HealthCheckResponse_NOT_SERVING { // check fails after the drain delay
	}
	for accepts(address) { // until the drain delay is over
		time.Sleep(10 * time.Millisecond)
	}
	close(release)
	if got := <-answer; got != "finished" {
		t.Errorf("the call in flight got %q", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// accepts reports whether the server accepts connections.
func accepts(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func TestListen_oneConnectionMixesProtocols(t *testing.T) {
	address, _, _, release, _ := start(t)
	close(release)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	for _, contentType := range []string{"application/grpc", "text/plain", "application/grpc+proto", ""} {
		req, _ := http.NewRequest(http.MethodPost, "http://"+address+"/grpc.health.v1.Health/Check",
			strings.NewReader("\x00\x00\x00\x00\x00"))
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("Te", "trailers")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		wantGRPC := strings.HasPrefix(contentType, "application/grpc")
		if gotGRPC := resp.Trailer.Get("Grpc-Status") == "0"; gotGRPC != wantGRPC {
			t.Errorf("%q: answered as gRPC: %v, want %v", contentType, gotGRPC, wantGRPC)
		}
	}
}

func TestListen_namesTakenAddress(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = server.Listen(server.Config{Address: taken.Addr().String()}, nil, http.NotFoundHandler(), health.NewServer())
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("got %v", err)
	}
}

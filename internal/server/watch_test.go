package server_test

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"testing"
	"time"

	"google.golang.org/grpc/health"

	"imageflow.dev/internal/server"
)

// manyWatches is the answer to a watch beyond the limit.
var manyWatches = regexp.MustCompile(`MAX_WATCHES.*"retry_delay":`)

// TestWatches: watches have slots of their own, and end when the server drains.
func TestWatches(t *testing.T) {
	t.Parallel()
	draining := make(chan struct{})
	routes := http.NewServeMux()
	routes.HandleFunc("/watch", func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-draining
	})
	routes.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	s, err := server.Listen(server.Config{
		Address: "127.0.0.1:0", DrainTimeout: time.Hour, MaxWatches: 2, OnDrain: func() { close(draining) },
		IsWatch: func(r *http.Request) bool { return r.URL.Path == "/watch" },
	}, nil, routes, health.NewServer())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for i, want := range []struct {
		path string
		code int
	}{{"/watch", 200}, {"/watch", 200}, {"/watch", 429}, {"/other", 200}} {
		resp, err := http.Get("http://" + s.Address() + want.path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusTooManyRequests {
			if text, _ := io.ReadAll(resp.Body); !manyWatches.Match(text) {
				t.Errorf("the limit has no name or no delay in %s", text)
			}
		}
		if resp.StatusCode != want.code {
			t.Errorf("request %d to %s is answered %s", i, want.path, resp.Status)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

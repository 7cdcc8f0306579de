package gateway_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// TestPressure: once a processor has refused as busy, what is beyond what it takes
// is refused at the gateway, and the processor does not hear of it; others are not
// affected, and when calls are taken again the bound goes.
func TestPressure(t *testing.T) {
	s := start(t)
	full, err := status.New(codes.ResourceExhausted, "full").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(1)})
	if err != nil {
		t.Fatal(err)
	}
	var busy atomic.Bool
	var heard atomic.Int64
	begun, end := make(chan struct{}, 100), make(chan struct{})
	s.before = func(ctx context.Context, method string) error {
		if !strings.HasSuffix(method, "ResizeImage") {
			return nil
		}
		heard.Add(1)
		if busy.Load() {
			return full.Err()
		}
		begun <- struct{}{}
		<-end
		return nil
	}
	s.put(t, "in.jpg", jpegOf(t, 20, 20))
	call := func(path string) int {
		body := `{"input_image":{"bucket":"pictures","object_key":"in.jpg"},"target_width":10}`
		resp, err := http.Post(s.url+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return 0
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		if resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") == "" {
			t.Error("a refusal does not say when to ask again")
		}
		return resp.StatusCode
	}
	answers := make(chan int, 100)
	for range 4 { // so many are always let in
		go func() { answers <- call("/v1/resize") }()
	}
	for range 4 {
		<-begun
	}
	busy.Store(true)
	if got := call("/v1/resize"); got != http.StatusTooManyRequests || heard.Load() != 5 {
		t.Errorf("a busy processor: %d, asked %d times; want 429 from it", got, heard.Load())
	}
	if got := call("/v1/resize"); got != http.StatusTooManyRequests || heard.Load() != 5 {
		t.Errorf("under pressure: %d, asked %d times; want 429 without asking", got, heard.Load())
	}
	if got := call("/v1/filter"); got == http.StatusTooManyRequests {
		t.Errorf("another processor: %d", got)
	}
	busy.Store(false)
	close(end)
	for range 4 {
		if got := <-answers; got != http.StatusOK {
			t.Errorf("a call that was let in: %d", got)
		}
	}
	if got := call("/v1/resize"); got != http.StatusOK {
		t.Errorf("afterwards: %d", got)
	}
}

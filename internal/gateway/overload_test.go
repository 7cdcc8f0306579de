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

// After a processor has refused a call as busy, the gateway refuses further calls without
// calling it. Other processors are not affected. The limit ends with the overload.
func TestGateway_shedsLoadOfBusyProcessor(t *testing.T) {
	s := start(t)
	full, err := status.New(codes.ResourceExhausted, "full").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(1)})
	if err != nil {
		t.Fatal(err)
	}
	var busy atomic.Bool
	var called atomic.Int64
	begun, end := make(chan struct{}, 100), make(chan struct{})
	s.before = func(ctx context.Context, method string) error {
		if !strings.HasSuffix(method, "ResizeImage") {
			return nil
		}
		called.Add(1)
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
			t.Error("a refusal has no Retry-After")
		}
		return resp.StatusCode
	}
	answers := make(chan int, 100)
	for range 4 { // the minimum of the limit
		go func() { answers <- call("/v1/resize") }()
	}
	for range 4 {
		<-begun
	}
	busy.Store(true)
	if got := call("/v1/resize"); got != http.StatusTooManyRequests || called.Load() != 5 {
		t.Errorf("a busy processor: %d after %d calls; want 429 from it", got, called.Load())
	}
	if got := call("/v1/resize"); got != http.StatusTooManyRequests || called.Load() != 5 {
		t.Errorf("during shedding: %d after %d calls; want 429 from the gateway", got, called.Load())
	}
	if got := call("/v1/filter"); got == http.StatusTooManyRequests {
		t.Errorf("another processor: %d", got)
	}
	busy.Store(false)
	close(end)
	for range 4 {
		if got := <-answers; got != http.StatusOK {
			t.Errorf("an admitted call: %d", got)
		}
	}
	if got := call("/v1/resize"); got != http.StatusOK {
		t.Errorf("afterwards: %d", got)
	}
}

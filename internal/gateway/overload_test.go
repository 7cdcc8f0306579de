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

// gate holds or refuses the calls of resize.
type gate struct {
	busy       atomic.Bool // calls are refused
	called     atomic.Int64
	begun, end chan struct{}
	refusal    error
}

func newGate(t *testing.T) *gate {
	full, err := status.New(codes.ResourceExhausted, "full").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(1)})
	if err != nil {
		t.Fatal(err)
	}
	return &gate{begun: make(chan struct{}, 100), end: make(chan struct{}), refusal: full.Err()}
}

// pass returns when the call may go on.
func (g *gate) pass(_ context.Context, method string) error {
	if !strings.HasSuffix(method, "ResizeImage") {
		return nil
	}
	g.called.Add(1)
	if g.busy.Load() {
		return g.refusal
	}
	g.begun <- struct{}{}
	<-g.end
	return nil
}

// callForOverload returns the status of a call. A refusal says when to try again.
func callForOverload(t *testing.T, url string) int {
	body := `{"input_image":{"bucket":"pictures","object_key":"in.jpg"},"target_width":10}`
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
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

// After a processor has refused a call as busy, the gateway refuses further calls without
// calling it. Other processors are not affected. The limit ends with the overload.
func TestGateway_shedsLoadOfBusyProcessor(t *testing.T) {
	s := start(t)
	resize := newGate(t)
	s.before = resize.pass
	s.put(t, "in.jpg", jpegOf(t, 20, 20))
	call := func(path string) int { return callForOverload(t, s.url+path) }
	answers := make(chan int, 100)
	for range 4 { // the minimum of the limit
		go func() { answers <- call("/v1/resize") }()
	}
	for range 4 {
		<-resize.begun
	}
	resize.busy.Store(true)
	if got := call("/v1/resize"); got != http.StatusTooManyRequests || resize.called.Load() != 5 {
		t.Errorf("a busy processor: %d after %d calls; want 429 from it", got, resize.called.Load())
	}
	if got := call("/v1/resize"); got != http.StatusTooManyRequests || resize.called.Load() != 5 {
		t.Errorf("during shedding: %d after %d calls; want 429 from the gateway", got, resize.called.Load())
	}
	if got := call("/v1/filter"); got == http.StatusTooManyRequests {
		t.Errorf("another processor: %d", got)
	}
	resize.busy.Store(false)
	close(resize.end)
	for range 4 {
		if got := <-answers; got != http.StatusOK {
			t.Errorf("an admitted call: %d", got)
		}
	}
	if got := call("/v1/resize"); got != http.StatusOK {
		t.Errorf("afterwards: %d", got)
	}
}

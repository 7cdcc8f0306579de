package objects

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// slow is a transport that waits before each piece of a body and before the response.
type slow struct{ each time.Duration }

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	for piece := make([]byte, 10); r.Body != nil; {
		if err := s.wait(r.Context()); err != nil {
			return nil, err
		}
		if _, err := r.Body.Read(piece); err != nil {
			break
		}
	}
	if err := s.wait(r.Context()); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(&slowBody{s, r.Context(), 10})}, nil
}

func (s slow) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.each):
		return nil
	}
}

type slowBody struct {
	slow
	ctx  context.Context
	left int
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.left--; b.left < 0 {
		return 0, io.EOF
	}
	return copy(p, "x"), b.wait(b.ctx)
}

// A transfer that makes progress may take longer than the timeout, and the caller may
// read the response slowly. A transfer without progress for the timeout fails.
func TestProgressTimeout_needsOnlyProgress(t *testing.T) {
	for each, wantErr := range map[time.Duration]bool{9 * time.Second: false, 11 * time.Second: true} {
		synctest.Test(t, func(t *testing.T) {
			s := &Store{progressTimeout: 10 * time.Second}
			ctx, end := s.begin(t.Context())
			defer end()
			err := exchange(ctx, progressTransport{slow{each}})
			if stalled := errors.Is(context.Cause(ctx), errStalled); (err != nil) != wantErr || stalled != wantErr {
				t.Errorf("%v per piece: %v, stalled: %v", each, err, stalled)
			}
		})
	}
}

func exchange(ctx context.Context, transport http.RoundTripper) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://store/x", bytes.NewReader(make([]byte, 50)))
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	for piece := make([]byte, 1); ; {
		time.Sleep(time.Minute) // a slow caller
		if _, err := response.Body.Read(piece); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

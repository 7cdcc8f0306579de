package inference

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// call makes a call, bounded in time. Its error is the context's where that has
// ended, and else of the kinds of this package or the server's own.
func call[Req, Resp any](
	ctx context.Context, t *Triton, method func(context.Context, *Req, ...grpc.CallOption) (*Resp, error), req *Req,
) (*Resp, error) {
	limited, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	resp, err := method(limited, req)
	switch status.Code(err) {
	case codes.OK:
		return resp, nil
	case codes.DeadlineExceeded: // ours, though the server may be the first to see it
		deadline, _ := ctx.Deadline()
		if limit, _ := limited.Deadline(); limit.Equal(deadline) {
			return nil, context.DeadlineExceeded
		}
		return nil, fmt.Errorf("%s did not answer within %v: %w", t.address, t.timeout, ErrUnavailable)
	case codes.Canceled: // by us, or by a server that ends
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%s: %w: %w", t.address, ErrUnavailable, err)
	case codes.Unavailable:
		return nil, fmt.Errorf("%s: %w: %w", t.address, ErrUnavailable, err)
	case codes.NotFound:
		return nil, fmt.Errorf("%s: %w: %w", t.address, ErrNotFound, err)
	default:
		return nil, fmt.Errorf("%s: %w", t.address, err)
	}
}

// settle looks at a model's not being there: it may be one that the server could
// not load, and a server that is not ready may only not have loaded it yet.
func (t *Triton) settle(ctx context.Context, name string, err error) error {
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	if index, unknown := t.index(ctx); unknown == nil {
		i := slices.IndexFunc(index, func(l Listing) bool { return l.Name == name })
		if i < 0 {
			return err
		}
		if index[i].Reason != "" {
			return &RefusedError{Name: name, Reason: index[i].Reason}
		}
	}
	if notReady := t.Ready(ctx); notReady != nil {
		return notReady
	}
	return err
}

package inference

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// limitCalls returns an interceptor that ends every call after the timeout and
// translates its error.
func limitCalls(address string, timeout time.Duration) grpc.UnaryClientInterceptor {
	return func(
		ctx context.Context, method string, req, resp any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		err := invoke(limited, method, req, resp, conn, opts...)
		deadline, _ := ctx.Deadline()
		limit, _ := limited.Deadline()
		switch {
		case status.Code(err) == codes.DeadlineExceeded && limit.Equal(deadline):
			return context.DeadlineExceeded
		case status.Code(err) == codes.DeadlineExceeded: // the server may notice the end before the client does
			return fmt.Errorf("%s did not answer within %v: %w", address, timeout, ErrUnavailable)
		case status.Code(err) == codes.Canceled && ctx.Err() != nil:
			return ctx.Err()
		}
		return translate(address, err)
	}
}

// translate wraps the error of a call in ErrUnavailable or ErrNotFound if it is
// one. Canceled is the status of calls that a server abandons when it stops.
func translate(address string, err error) error {
	switch status.Code(err) {
	case codes.OK:
		return nil
	case codes.Unavailable, codes.Canceled:
		return fmt.Errorf("%s: %w: %w", address, ErrUnavailable, err)
	case codes.NotFound:
		return fmt.Errorf("%s: %w: %w", address, ErrNotFound, err)
	}
	return fmt.Errorf("%s: %w", address, err)
}

// explainNotFound returns a better error than ErrNotFound if there is one: the
// server may have failed to load the model, may lack its version, or may still be loading models.
func (t *Triton) explainNotFound(ctx context.Context, key versionKey, err error) error {
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	if index, indexErr := t.index(ctx); indexErr == nil {
		i := slices.IndexFunc(index, func(l Listing) bool { return l.Name == key.name })
		switch {
		case i < 0:
			return err
		case key.version != "" && len(index[i].Available) > 0:
			return fmt.Errorf("%w: it has %s, not %.64s", ErrNoVersion, strings.Join(index[i].Available, ", "), key.version)
		case index[i].Reason != "":
			return &RefusedError{Name: key.name, Reason: index[i].Reason}
		}
	}
	if notReady := t.Ready(ctx); notReady != nil {
		return notReady
	}
	return err
}

package overlay

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// errNotServed means that the API server does not serve a kind yet whose definition was applied a moment before.
var errNotServed = errors.New("the API server does not serve this kind yet")

// ApplyUntil is Apply, repeated until end while the cluster cannot decide about the object: the API server or a webhook does not
// answer, or the kind has just been defined. It passes each new reason to waiting, and returns the last one at the end.
func (a *Applier) ApplyUntil(
	ctx context.Context, end time.Time, o *unstructured.Unstructured, options metav1.ApplyOptions, waiting func(reason error),
) (change string, err error) {
	before := ""
	for {
		change, err = a.Apply(ctx, o, options)
		if err == nil || !isTemporary(err) || !time.Now().Before(end) {
			return change, err
		}
		if err.Error() != before {
			before = err.Error()
			waiting(err)
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(min(time.Second, time.Until(end))):
		}
	}
}

// isTemporary reports whether the cluster could not decide about a request, and may be able to a moment later.
func isTemporary(err error) bool {
	timeout := net.Error(nil)
	switch {
	case errors.Is(err, context.Canceled):
		return false
	case errors.Is(err, errNotServed), apierrors.IsServerTimeout(err), apierrors.IsTimeout(err), apierrors.IsTooManyRequests(err),
		apierrors.IsServiceUnavailable(err), utilnet.IsConnectionRefused(err), utilnet.IsConnectionReset(err),
		utilnet.IsProbableEOF(err), errors.As(err, &timeout) && timeout.Timeout():
		return true
	}
	return apierrors.IsInternalError(err) && isUnasked(err.Error())
}

// isUnasked reports whether an internal error of the API server is about a webhook that it could not ask. One that denies an
// object has answered.
func isUnasked(message string) bool {
	return strings.Contains(message, "failed calling webhook") || strings.Contains(message, "conversion webhook for") ||
		strings.Contains(message, "no endpoints available for service")
}

package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"buf.build/go/protovalidate"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/index"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Executions looks up executions in the object store. It runs in this process.
type Executions struct {
	imageflowv1.UnimplementedExecutionServiceServer
	// Store may be nil: then every call fails with Missing as its message.
	Store       *objects.Store
	Missing     string
	DeadLetters execution.DeadLetterStore
	// Index lists the recent executions. It is nil if Store is.
	Index *index.Reader
	// Hub serves watches. It is nil if Store is.
	Hub *index.Hub
	// Chains describes the chains of Triggers. It needs no store. It may be nil.
	Chains *Chains
	// Bucket is the default bucket.
	Bucket string
	// ReadFrom is the allow-list of the executions that may be looked up.
	ReadFrom objects.AllowList
}

// Backend returns the service for New. It needs no connection.
func (x *Executions) Backend() Backend {
	return Backend{
		Register: func(ctx context.Context, mux *runtime.ServeMux, _ *grpc.ClientConn) error {
			return imageflowv1.RegisterExecutionServiceHandlerServer(ctx, mux, x)
		},
		Streams: map[string]http.Handler{WatchPath: http.HandlerFunc(x.serveWatch)},
	}
}

// GetExecution returns the state of one execution.
func (x *Executions) GetExecution(
	ctx context.Context, req *imageflowv1.GetExecutionRequest,
) (*imageflowv1.GetExecutionResponse, error) {
	if err := protovalidate.Validate(req); err != nil {
		return nil, violation("", err)
	}
	if x.Store == nil {
		return nil, status.Error(codes.Unimplemented, x.Missing)
	}
	bucket, id := req.GetBucket(), req.GetExecutionId()
	if bucket == "" {
		bucket = x.Bucket
	}
	if !x.ReadFrom.Contains(bucket, id) {
		return nil, outside("bucket", bucket)
	}
	e, err := execution.Find(ctx, x.Store, x.DeadLetters, bucket, id)
	switch {
	case errors.Is(err, objects.ErrNotFound):
		return nil, status.Errorf(codes.NotFound, "bucket %q has no execution %q", bucket, id)
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	case err != nil:
		slog.WarnContext(ctx, "execution lookup failed", "bucket", bucket, "execution", id, "error", err)
		return nil, unavailable("the object store does not answer")
	}
	return e.Response(), nil
}

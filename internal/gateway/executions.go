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
	"google.golang.org/protobuf/types/known/timestamppb"

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
		Streams: map[string]http.Handler{"GET " + WatchPath: http.HandlerFunc(x.serveWatch)},
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
	return response(e), nil
}

var statusOf = map[execution.State]imageflowv1.ProcessingStatus{
	execution.Pending:   imageflowv1.ProcessingStatus_PROCESSING_STATUS_PENDING,
	execution.Running:   imageflowv1.ProcessingStatus_PROCESSING_STATUS_RUNNING,
	execution.Completed: imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED,
	execution.Failed:    imageflowv1.ProcessingStatus_PROCESSING_STATUS_FAILED,
}

func response(e execution.Execution) *imageflowv1.GetExecutionResponse {
	r := &imageflowv1.GetExecutionResponse{ExecutionId: e.ID, Status: statusOf[e.State]}
	if e.Source != nil {
		r.Source = imageData(*e.Source)
	}
	for _, s := range e.Steps {
		r.Steps = append(r.Steps, &imageflowv1.ExecutionStep{
			Name: s.Name, Variant: s.Variant, Status: imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED,
			OutputImage: imageData(s.Output), SideCar: s.SideCar,
			FinishedAt: timestamppb.New(s.Finished()), ProcessingTimeSeconds: s.Seconds,
		})
	}
	if f := e.Failure; f != nil {
		r.Failure = &imageflowv1.ExecutionFailure{
			Step: f.Step, Code: int32(f.Code), Reason: f.Reason, Attempts: int32(f.Attempts),
			FailedAt: timestamppb.New(f.Last), DeadLetter: f.Object,
		}
	}
	return r
}

func imageData(info objects.Info) *imageflowv1.ImageData {
	width, height := execution.Size(info)
	return &imageflowv1.ImageData{
		Width: int32(width), Height: int32(height),
		Bucket: info.Bucket, ObjectKey: info.Key, ContentType: info.ContentType, SizeBytes: info.Size,
		CreatedAt: timestamppb.New(info.Modified), Etag: info.ETag,
	}
}

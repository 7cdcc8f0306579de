package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// maxKeyBytes is the limit of S3 on the key of an object.
const maxKeyBytes = 1024

// maxLoaded bounds the dead letters that are read for one page, or to report a replay.
const maxLoaded = 1000

// ListDeadLetters lists dead letters of a bucket.
func (x *Executions) ListDeadLetters(
	ctx context.Context, req *imageflowv1.ListDeadLettersRequest,
) (*imageflowv1.ListDeadLettersResponse, error) {
	if err := protovalidate.Validate(req); err != nil {
		return nil, violation("", err)
	}
	selection := execution.Selection{
		Bucket: req.GetBucket(), Prefix: req.GetPrefix(), Since: timeOf(req.GetSince()), Until: timeOf(req.GetUntil()),
	}
	if err := x.checkBucket(&selection); err != nil {
		return nil, err
	}
	after, err := base64.RawURLEncoding.DecodeString(req.GetPageToken())
	if err != nil || len(after) > maxKeyBytes {
		return nil, invalid("page_token", "not the next_page_token of an earlier response")
	}
	selection.After = string(after)
	n := int(req.GetPageSize())
	if n == 0 {
		n = defaultPageSize
	}
	found, next, err := x.deadLetters(ctx, selection, n)
	if err != nil {
		return nil, deadLetterStatus(ctx, err)
	}
	return &imageflowv1.ListDeadLettersResponse{
		DeadLetters: found, NextPageToken: base64.RawURLEncoding.EncodeToString([]byte(next)),
	}, nil
}

// checkBucket sets the default bucket. It returns an error if no execution whose id begins with the prefix may be looked up.
func (x *Executions) checkBucket(s *execution.Selection) error {
	if x.Store == nil {
		return status.Error(codes.Unimplemented, x.Missing)
	}
	if s.Bucket == "" {
		s.Bucket = x.Bucket
	}
	if len(x.ReadFrom.Prefixes(s.Bucket, s.Prefix)) == 0 {
		return outside("bucket", s.Bucket)
	}
	return nil
}

// checkSelection is checkBucket for a selection without ids. It returns an error unless all executions whose ids begin
// with a prefix may be looked up.
func (x *Executions) checkSelection(s *execution.Selection, prefix string) error {
	if err := x.checkBucket(s); err != nil || len(s.Objects) > 0 {
		return err
	}
	if !x.ReadFrom.Contains(s.Bucket, prefix+"-") { // also of ids that go on after the prefix
		return outside("bucket", s.Bucket)
	}
	return nil
}

// deadLetters returns up to n selected dead letters that ReadFrom contains. Next is the key after which the next ones come, or
// empty.
func (x *Executions) deadLetters(
	ctx context.Context, s execution.Selection, n int,
) (found []*imageflowv1.DeadLetter, next string, err error) {
	all := execution.Selection{Bucket: s.Bucket, Execution: s.Execution, After: s.After, Objects: s.Objects}
	loaded, last := 0, ""
	for d, err := range x.DeadLetters.List(ctx, all) {
		if err != nil && d.Object == "" {
			return nil, "", err
		}
		if len(found) >= n || loaded >= maxLoaded {
			return found, last, nil
		}
		loaded, last = loaded+1, d.Object
		switch {
		case !x.ReadFrom.Contains(s.Bucket, d.Execution): // an unreadable one names no execution
		case errors.Is(err, execution.ErrUnreadable) && s.Prefix == "":
			found = append(found, &imageflowv1.DeadLetter{Id: d.Object, Bucket: s.Bucket, Reason: err.Error()})
		case err == nil && s.Contains(d):
			found = append(found, deadLetter(d))
		}
	}
	return found, "", nil
}

func deadLetter(d execution.DeadLetter) *imageflowv1.DeadLetter {
	return &imageflowv1.DeadLetter{
		Id: d.Object, ExecutionId: d.Execution, Bucket: d.Bucket, ObjectKey: d.Key, Etag: d.ETag,
		EventId: d.EventID, EventType: d.EventType, Step: d.Step, Code: int32(d.Code), Reason: d.Reason,
		Attempts: int32(d.Attempts), Failures: int32(d.Failures),
		FirstFailedAt: timestamppb.New(d.First), LastFailedAt: timestamppb.New(d.Last),
		InReplay: d.InReplay, Replayable: len(d.Event) > 0,
	}
}

// ReplayDeadLetters stores a request to replay dead letters, which a bridge does: the gateway has neither a
// key to sign events nor access to the broker.
func (x *Executions) ReplayDeadLetters(
	ctx context.Context, req *imageflowv1.ReplayDeadLettersRequest,
) (*imageflowv1.ReplayDeadLettersResponse, error) {
	if err := protovalidate.Validate(req); err != nil {
		return nil, violation("", err)
	}
	s := execution.Selection{
		Bucket: req.GetBucket(), Execution: req.GetExecutionId(), Prefix: req.GetPrefix(), Objects: req.GetIds(),
		Since: timeOf(req.GetSince()), Until: timeOf(req.GetUntil()),
	}
	if now := time.Now(); s.Until.IsZero() || s.Until.After(now) {
		s.Until = now
	}
	if err := x.checkSelection(&s, req.GetExecutionId()+req.GetPrefix()); err != nil {
		return nil, err
	}
	for i, id := range s.Objects {
		if !strings.HasPrefix(id, s.Bucket+"/") {
			return nil, invalid(fmt.Sprintf("ids[%d]", i), fmt.Sprintf("%.64q is no dead letter of the bucket %q", id, s.Bucket))
		}
	}
	found, next, err := x.deadLetters(ctx, s, maxLoaded)
	if err != nil {
		return nil, deadLetterStatus(ctx, err)
	}
	r := &imageflowv1.ReplayDeadLettersResponse{More: next != "", NotFound: notFound(s.Objects, found)}
	for _, d := range found {
		if d.GetReplayable() {
			r.DeadLetters = append(r.DeadLetters, d)
		}
	}
	if req.GetDryRun() || len(r.GetDeadLetters()) == 0 && !r.GetMore() {
		return r, nil
	}
	s.Objects = slices.DeleteFunc(s.Objects, func(id string) bool { return slices.Contains(r.GetNotFound(), id) })
	r.Request, err = x.DeadLetters.RequestReplay(ctx, s)
	return r, deadLetterStatus(ctx, err)
}

// notFound returns the ids of which no dead letter was found.
func notFound(ids []string, found []*imageflowv1.DeadLetter) (missing []string) {
	for _, id := range ids {
		isID := func(d *imageflowv1.DeadLetter) bool { return d.GetId() == id }
		if !slices.ContainsFunc(found, isID) && !slices.Contains(missing, id) {
			missing = append(missing, id)
		}
	}
	return missing
}

// deadLetterStatus returns the status of an error of the store.
func deadLetterStatus(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case errors.Is(err, objects.ErrNotFound):
		return status.Error(codes.NotFound, "the store has no bucket of dead letters")
	}
	slog.WarnContext(ctx, "dead letters not read or replay not requested: the gateway needs the rights in "+
		"config/minio-policies/gateway.json", "error", err)
	return unavailable("the object store does not answer")
}

package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
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
	"imageflow.dev/internal/index"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// defaultPageSize is the number of executions in a page if the request gives none.
const defaultPageSize = 50

// pageToken is the position after a page.
type pageToken struct {
	Index index.Cursor `json:"index,omitzero"`
	// InBucket means that the index is exhausted, and Key that the bucket is listed after it.
	InBucket bool   `json:"in_bucket,omitempty"`
	Key      string `json:"key,omitempty"`
}

func (t pageToken) String() string {
	text, _ := json.Marshal(t) // texts and times never fail
	return base64.RawURLEncoding.EncodeToString(text)
}

func parsePageToken(text string) (t pageToken, err error) {
	if text == "" {
		return t, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	if err != nil {
		return t, invalid("page_token", "not the next_page_token of an earlier response")
	}
	return t, nil
}

// ListExecutions lists executions, first those of the index, then older ones of the bucket.
func (x *Executions) ListExecutions(
	ctx context.Context, req *imageflowv1.ListExecutionsRequest,
) (*imageflowv1.ListExecutionsResponse, error) {
	if err := protovalidate.Validate(req); err != nil {
		return nil, violation("", err)
	}
	query, err := x.query(req)
	if err != nil {
		return nil, err
	}
	query.Since, query.Until = timeOf(req.GetSince()), timeOf(req.GetUntil())
	token, err := parsePageToken(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	n := int(req.GetPageSize())
	if n == 0 {
		n = defaultPageSize
	}
	r, err := x.list(ctx, query, token, n)
	switch {
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	case errors.Is(err, objects.ErrNotFound):
		return nil, status.Errorf(codes.NotFound, "the store has no bucket %q", query.Bucket)
	case err != nil:
		slog.WarnContext(ctx, "executions not listed", "bucket", query.Bucket, "error", err)
		return nil, unavailable("the object store does not answer")
	}
	return r, nil
}

// timeOf returns a timestamp, and the zero time for nil.
func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// list returns one page.
func (x *Executions) list(
	ctx context.Context, query index.Query, token pageToken, n int,
) (*imageflowv1.ListExecutionsResponse, error) {
	reach, err := x.Index.Since(ctx)
	if err != nil {
		return nil, err
	}
	r := &imageflowv1.ListExecutionsResponse{}
	if !reach.IsZero() {
		r.IndexSince = timestamppb.New(reach)
	}
	var page []index.Entry
	var next *pageToken
	if token.InBucket || reach.IsZero() {
		r.FromBucket = true
		page, next, err = x.listBucket(ctx, query, token.Key, n, reach)
	} else {
		page, next, err = x.listIndex(ctx, query, token.Index, n, reach)
	}
	if err != nil {
		return nil, err
	}
	if next != nil {
		r.NextPageToken = next.String()
	}
	for _, e := range page {
		r.Executions = append(r.Executions, summary(&e))
	}
	return r, nil
}

// listIndex returns a page of the index. After its last one comes the bucket.
func (x *Executions) listIndex(
	ctx context.Context, query index.Query, after index.Cursor, n int, reach time.Time,
) ([]index.Entry, *pageToken, error) {
	page, next, err := x.Index.List(ctx, query, after, n, reach)
	switch {
	case next != nil:
		return page, &pageToken{Index: *next}, err
	case query.Since.IsZero() || query.Since.Before(reach):
		return page, &pageToken{InBucket: true}, err
	}
	return page, nil, err
}

// executionFilter is the part that the requests to list and to watch executions share.
type executionFilter interface {
	GetBucket() string
	GetPrefix() string
	GetStatus() []imageflowv1.ProcessingStatus
	GetStep() string
	GetVariant() string
}

// query returns the query of a filter. It selects only executions that ReadFrom contains.
func (x *Executions) query(f executionFilter) (index.Query, error) {
	q := index.Query{Bucket: f.GetBucket(), Prefix: f.GetPrefix(), BySteps: f.GetStep()+f.GetVariant() != ""}
	if x.Store == nil {
		return q, status.Error(codes.Unimplemented, x.Missing)
	}
	if q.Bucket == "" {
		q.Bucket = x.Bucket
	}
	if len(x.ReadFrom.Prefixes(q.Bucket, q.Prefix)) == 0 {
		return q, outside("bucket", q.Bucket)
	}
	for state, wanted := range execution.Statuses {
		if slices.Contains(f.GetStatus(), wanted) {
			q.States = append(q.States, state)
		}
	}
	if len(f.GetStatus()) > 0 && len(q.States) == 0 {
		return q, invalid("status", "must be PENDING, RUNNING, COMPLETED or FAILED")
	}
	if step := f.GetStep(); step != "" {
		if _, ok := processors.Named(step); !ok {
			return q, invalid("step", fmt.Sprintf("there is no step %.40q; the steps are %s", step, stepNames()))
		}
	}
	isStep := func(s index.Step) bool {
		return (f.GetStep() == "" || s.Name == f.GetStep()) && (f.GetVariant() == "" || s.Variant == f.GetVariant())
	}
	q.Match = func(e *index.Entry) bool {
		hasStep := !q.BySteps || slices.ContainsFunc(e.CurrentSteps(), isStep)
		return hasStep && x.ReadFrom.Contains(e.Bucket, e.ID)
	}
	return q, nil
}

// stepNames returns the names of all steps.
func stepNames() string {
	var names []string
	for _, p := range processors.All {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

func summary(e *index.Entry) *imageflowv1.ExecutionSummary {
	s := &imageflowv1.ExecutionSummary{
		ExecutionId: e.ID, Bucket: e.Bucket, Status: execution.Statuses[e.State()], ObjectKey: e.Key, Etag: e.ETag, SizeBytes: e.Size,
		ArrivedAt: timestamppb.New(e.Began()), UpdatedAt: timestamppb.New(e.Updated()),
	}
	for _, step := range e.CurrentSteps() {
		s.Steps = append(s.Steps, &imageflowv1.ExecutionSummaryStep{
			Name: step.Name, Variant: step.Variant, FinishedAt: timestamppb.New(step.At),
		})
	}
	return s
}

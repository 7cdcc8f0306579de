package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"imageflow.dev/internal/events"
)

// isTooLarge reports whether an error of a processor is about the size of the request.
func isTooLarge(err error) bool {
	return slices.ContainsFunc(status.Convert(err).Proto().GetDetails(), isSize)
}

// isSize reports whether a detail of an error says that the request is too large.
func isSize(detail *anypb.Any) bool {
	info := &errdetails.ErrorInfo{}
	return detail.UnmarshalTo(info) == nil && info.GetReason() == events.ReasonTooLarge
}

// explainSize is an interceptor for connections to processors. It replaces the error of grpc for a request over the limit of
// the processor, which is RESOURCE_EXHAUSTED, as for an answer over the limit. Only the size in its text tells the two apart.
func explainSize(
	ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	err := invoke(ctx, method, req, reply, conn, opts...)
	s := status.Convert(err)
	if s.Code() != codes.ResourceExhausted || len(s.Details()) > 0 {
		return err
	}
	size := proto.Size(req.(proto.Message))
	if !strings.Contains(s.Message(), fmt.Sprintf("larger than max (%d vs. ", size)) {
		return err
	}
	return withDetail(
		status.Newf(codes.InvalidArgument, "the request has %d bytes without base64, which is more than the processor accepts", size),
		&errdetails.ErrorInfo{Reason: events.ReasonTooLarge, Domain: events.ErrorDomain})
}

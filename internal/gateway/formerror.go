package gateway

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// formError returns an error about the image of a form with the name of the form's field. Other errors are returned as they
// are, as are those about an image that the form gives as JSON does.
func formError(ctx context.Context, err error) error {
	b, ok := ctx.Value(bodyKey{}).(*body)
	if !ok || b.form == nil || !b.form.fromFile {
		return err
	}
	s := status.Convert(err).Proto()
	for i, detail := range s.GetDetails() {
		bad := &errdetails.BadRequest{}
		if detail.UnmarshalTo(bad) != nil {
			continue
		}
		at := slices.IndexFunc(bad.GetFieldViolations(), func(v *errdetails.BadRequest_FieldViolation) bool {
			return v.GetField() == imageField
		})
		if at < 0 {
			continue
		}
		bad.FieldViolations[at].Field = fileField
		renamed, packErr := anypb.New(bad)
		if packErr != nil {
			return err
		}
		s.Details[i], s.Message = renamed, strings.Replace(s.GetMessage(), imageField, fileField, 1)
		return status.FromProto(s).Err()
	}
	return err
}

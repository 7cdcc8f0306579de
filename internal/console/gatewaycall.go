package console

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// maxAnswerBytes bounds an answer of the gateway in JSON, which may have an image of maxTriedBytes as text.
const maxAnswerBytes = 16 << 20

// callGateway sends a request to the gateway's JSON API and reads the answer. Errors have the status of gRPC that the answer
// has.
func (s *Console) callGateway(ctx context.Context, method, path, contentType string, body io.Reader, answer proto.Message) error {
	if s.config.Gateway == nil {
		return status.Error(codes.Unavailable, "the console has no address of it")
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, path, body)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	r.Header.Set("Accept", "application/json")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	got, err := s.config.Gateway.RoundTrip(r)
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	defer got.Body.Close()
	text, err := io.ReadAll(io.LimitReader(got.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return status.Error(codes.Unavailable, "its answer is cut off")
	case len(text) > maxAnswerBytes:
		return status.Errorf(codes.OutOfRange, "the answer of the gateway is larger than %s", byteCount(maxAnswerBytes))
	case got.StatusCode != http.StatusOK:
		return answeredError(got, text)
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, answer); err != nil {
		return status.Error(codes.Internal, "the answer of the gateway is not as the contract has it: "+err.Error())
	}
	return nil
}

// answeredError returns the error that an answer describes, or else its HTTP status.
func answeredError(got *http.Response, text []byte) error {
	var body struct {
		Code    codes.Code
		Message string
	}
	if err := json.Unmarshal(text, &body); err != nil || body.Code == codes.OK || body.Message == "" {
		return status.Error(codes.Unknown, "the gateway answers "+got.Status)
	}
	return status.Error(body.Code, body.Message)
}

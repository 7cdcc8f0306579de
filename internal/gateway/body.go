package gateway

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/jsonlimit"
	"imageflow.dev/internal/rules"
)

const (
	jsonType = "application/json"
	formType = "multipart/form-data"
)

// textLimits bound a request without its image. The contract's longest list, the ids of dead letters, has 1,000
// elements, and its largest pipeline about a hundred in five levels.
var textLimits = jsonlimit.Limits{Bytes: 256 << 10, Depth: 16, Elements: 1100}

// body is the body of a request: JSON or a form.
type body struct {
	io.ReadCloser
	form *form // nil for JSON
	// err is the error of the decoder. The generated handlers keep only its text.
	err error
}

type bodyKey struct{}

// withBody prepares a request for the bodyMarshaler. It accepts only JSON and forms:
// a web page can send other media types across sites without a preflight request. A
// body without a type is JSON, unless a browser sends it.
func withBody(r *http.Request) (*http.Request, error) {
	if r.Method != http.MethodPost {
		return r, nil
	}
	if r.URL.RawQuery != "" {
		return r, status.Error(codes.InvalidArgument, "the URL has a query, which is not read: give all parameters in the body")
	}
	b := &body{ReadCloser: r.Body}
	mediaType, settings, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && mediaType == jsonType:
	case err == nil && mediaType == formType:
		b.form = newForm(r, settings["boundary"])
	case r.Header.Get("Content-Type") == "" && !fromBrowser(r):
	default:
		return r, unsupportedType(mediaType)
	}
	r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, b))
	r.Body = b
	return r, nil
}

// fromBrowser reports whether a request has headers that only browsers set.
func fromBrowser(r *http.Request) bool {
	return r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
}

func unsupportedType(mediaType string) error {
	return &runtime.HTTPStatusError{HTTPStatus: http.StatusUnsupportedMediaType, Err: status.Error(codes.InvalidArgument,
		"content type "+rules.Clip(mediaType)+" is not supported: send "+jsonType+" with the image in base64 as input_bytes, or "+
			formType+" with the image as the file field "+fileField+" (curl -F "+fileField+"=@cat.jpg)")}
}

// tooLarge returns the error for a body over the limit.
func tooLarge(format string, sizes ...any) error {
	return &runtime.HTTPStatusError{
		HTTPStatus: http.StatusRequestEntityTooLarge, Err: status.Errorf(codes.InvalidArgument, format, sizes...),
	}
}

// bodyMarshaler decodes bodies within the limits, and encodes like the wrapped one.
type bodyMarshaler struct{ runtime.Marshaler }

// NewDecoder returns the decoder of a body that withBody has prepared.
func (m bodyMarshaler) NewDecoder(r io.Reader) runtime.Decoder {
	b, ok := r.(*body)
	if !ok {
		return m.Marshaler.NewDecoder(r)
	}
	return runtime.DecoderFunc(func(v any) error {
		b.err = explainRead(b.decode(v.(proto.Message)))
		_ = b.Close() // the rest is not read
		return b.err
	})
}

func (b *body) decode(req proto.Message) error {
	if b.form != nil {
		return b.form.decode(b.ReadCloser, req)
	}
	return decodeJSON(b.ReadCloser, req)
}

// explainRead gives every error a status. It wraps no error, because the mux treats
// io.EOF as an empty body, and repeats no part of the body.
func explainRead(err error) error {
	var large *http.MaxBytesError
	var limit *jsonlimit.Error
	switch {
	case err == nil || status.Code(err) != codes.Unknown:
		return err
	case errors.As(err, &large):
		return tooLarge("the body is too large: the limit is %d bytes", large.Limit)
	case errors.As(err, &limit) && limit.TooLong:
		return tooLarge("the request without its image: %s", limit.Reason)
	case errors.As(err, &limit):
		return status.Error(codes.InvalidArgument, "the request without its image: "+limit.Reason)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "the body did not arrive in time")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return status.Error(codes.InvalidArgument, "the body ends too early")
	}
	return status.Error(codes.InvalidArgument, "the body cannot be read: does it match its content type?")
}

// decodeError returns the error of the decoder of the request's body, if any, or err.
func decodeError(ctx context.Context, err error) error {
	if b, ok := ctx.Value(bodyKey{}).(*body); ok && b.err != nil {
		return b.err
	}
	return err
}

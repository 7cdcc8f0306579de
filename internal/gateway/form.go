package gateway

import (
	"context"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/parameters"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	// formType is the media type of forms with files.
	formType = "multipart/form-data"
	// fileField is the field of a form that has the picture.
	fileField = "image"
	// maxFieldBytes and maxFields limit a form's other fields.
	maxFieldBytes = 64 << 10
	maxFields     = 100
)

// form is a request that comes as a form, as curl -F sends it. The field `image`
// is the encoded picture. The others are named and written as in a query string,
// or are JSON where the contract has a message or a list of them.
//
// Who uploads a picture so and names no place for the output gets the picture
// itself back, unless its Accept header asks for application/json, or it asks
// for detections and wants no boxes drawn.
type form struct {
	io.ReadCloser // the body
	boundary      string
	wantsJSON     bool
	// wantsPicture says that the answer is the picture itself. It is known when
	// the form has been read.
	wantsPicture bool
}

type formKey struct{}

// asForm prepares a request that comes as a form for the formMarshaler, and
// returns any other as it is.
func asForm(r *http.Request) *http.Request {
	mediaType, settings, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != formType {
		return r
	}
	f := &form{
		ReadCloser: r.Body, boundary: settings["boundary"],
		wantsJSON: strings.Contains(r.Header.Get("Accept"), "application/json"),
	}
	r = r.WithContext(context.WithValue(r.Context(), formKey{}, f))
	r.Body = f
	return r
}

// formMarshaler reads forms, and writes as the one within.
type formMarshaler struct{ runtime.Marshaler }

// NewDecoder returns the decoder of the body of a request of asForm's.
func (m formMarshaler) NewDecoder(body io.Reader) runtime.Decoder {
	f, ok := body.(*form)
	if !ok {
		return m.Marshaler.NewDecoder(body)
	}
	return runtime.DecoderFunc(func(v any) error {
		if err := f.decode(v.(proto.Message)); err != nil {
			// Not wrapped: io.EOF would be taken for an empty body.
			return fmt.Errorf("%v", err)
		}
		return nil
	})
}

func (f *form) decode(req proto.Message) error {
	picture, fields, err := f.read()
	if err != nil {
		return err
	}
	if err := readFields(req, fields); err != nil {
		return err
	}
	if picture == nil {
		return nil
	}
	r := req.ProtoReflect()
	input := r.Descriptor().Fields().ByName("input_bytes")
	if r.Has(input) {
		return fmt.Errorf("%s and input_bytes: one picture only", fileField)
	}
	r.Set(input, protoreflect.ValueOfBytes(picture))
	f.wantsPicture = !f.wantsJSON && answersWithPicture(req)
	return nil
}

// read reads the body: the picture, nil where there is none, and the fields.
func (f *form) read() (picture []byte, fields url.Values, err error) {
	fields = url.Values{}
	for parts, n := multipart.NewReader(f, f.boundary), 0; ; n++ {
		part, err := parts.NextPart()
		if err == io.EOF { // not in a chain: there it is an end too early
			return picture, fields, nil
		}
		if err != nil {
			return nil, nil, err
		}
		switch name := part.FormName(); {
		case n >= maxFields:
			return nil, nil, fmt.Errorf("more than %d fields", maxFields)
		case name == fileField && picture != nil:
			return nil, nil, fmt.Errorf("%s: one picture only", name)
		case name == fileField:
			picture, err = io.ReadAll(part)
		case part.FileName() != "":
			return nil, nil, fmt.Errorf("%s: the file must come in the field %s", name, fileField)
		default:
			var value []byte
			if value, err = io.ReadAll(io.LimitReader(part, maxFieldBytes+1)); len(value) > maxFieldBytes {
				return nil, nil, fmt.Errorf("%s: more than %d bytes", name, maxFieldBytes)
			}
			fields.Add(name, string(value))
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// readFields sets the fields of a request: JSON where one is a message or a list
// of them, the others as in a query string.
func readFields(req proto.Message, fields url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		path := parameters.Path(req, name)
		if len(path) != 1 || path[0].Message() == nil || strings.Contains(name, "[") {
			continue
		}
		for _, text := range fields[name] {
			one := req.ProtoReflect().New().Interface()
			if err := protojson.Unmarshal(fmt.Appendf(nil, "{%q:%s}", path[0].Name(), text), one); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			proto.Merge(req, one)
		}
		delete(fields, name)
	}
	return parameters.Read(req, fields)
}

// answersWithPicture tells whether the picture is what a caller with an upload
// wants to have.
func answersWithPicture(req proto.Message) bool {
	if detect, ok := req.(*imageflowv1.DetectionRequest); ok && !detect.GetDrawBoxes() {
		return false
	}
	r, ok := req.(interface{ GetOutputImage() *imageflowv1.ImageData })
	return ok && r.GetOutputImage().GetBucket()+r.GetOutputImage().GetObjectKey() == ""
}

// pictureOf returns the picture of an answer to a form that wants only that, or
// else nil.
func pictureOf(ctx context.Context, resp proto.Message) *httpbody.HttpBody {
	f, ok := ctx.Value(formKey{}).(*form)
	if !ok || !f.wantsPicture {
		return nil
	}
	body := &httpbody.HttpBody{}
	switch r := resp.(type) {
	case interface {
		GetResult() *imageflowv1.ProcessingResult
	}:
		body.ContentType, body.Data = r.GetResult().GetOutputImage().GetContentType(), r.GetResult().GetOutputData()
	case *imageflowv1.RunPipelineResponse:
		body.ContentType, body.Data = r.GetOutputImage().GetContentType(), r.GetOutputData()
	}
	if len(body.Data) == 0 {
		return nil
	}
	return body
}

// typePicture and answerPicture answer with the picture where it is wanted.
func typePicture(ctx context.Context, w http.ResponseWriter, resp proto.Message) error {
	if picture := pictureOf(ctx, resp); picture != nil {
		w.Header().Set("Content-Type", picture.GetContentType())
	}
	return nil
}

func answerPicture(ctx context.Context, resp proto.Message) (any, error) {
	if picture := pictureOf(ctx, resp); picture != nil {
		return picture, nil
	}
	return resp, nil
}

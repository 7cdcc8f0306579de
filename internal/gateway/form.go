package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/jsonlimit"
	"imageflow.dev/internal/queryparams"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	// fileField is the field of a form that has the image.
	fileField = "image"
	// maxFields limits a form's parts.
	maxFields = 100
)

// form is a request that comes as a form, as curl -F sends it. The field `image`
// is the encoded image. The others are named and written as in a query string,
// or are JSON where the contract has a message or a list of them.
//
// Who uploads an image so and names no place for the output gets the image
// itself back, unless its Accept header asks for application/json, or it asks
// for detections and wants no boxes drawn.
type form struct {
	boundary  string
	wantsJSON bool
	// wantsPicture says that the answer is the image itself. It is known when
	// the form has been read.
	wantsPicture bool
}

func newForm(r *http.Request, boundary string) *form {
	return &form{boundary: boundary, wantsJSON: strings.Contains(r.Header.Get("Accept"), jsonType)}
}

func (f *form) decode(r io.Reader, req proto.Message) error {
	image, fields, err := f.read(r)
	if err != nil {
		return err
	}
	if err := readFields(req, fields); err != nil {
		return err
	}
	if image == nil {
		return nil
	}
	m := req.ProtoReflect()
	input := m.Descriptor().Fields().ByName(imageField)
	if m.Has(input) {
		return invalid(imageField, "one picture only: it is in "+fileField+", too")
	}
	m.Set(input, protoreflect.ValueOfBytes(image))
	f.wantsPicture = !f.wantsJSON && answersWithPicture(req)
	return nil
}

// read reads the body: the image, nil where there is none, and the fields.
func (f *form) read(r io.Reader) (image []byte, fields url.Values, err error) {
	text := &textReader{Reader: r, left: textLimits.Bytes}
	fields = url.Values{}
	for parts, n := multipart.NewReader(text, f.boundary), 0; ; n++ {
		part, err := parts.NextPart()
		if err == io.EOF { // not in a chain: there it is an end too early
			return image, fields, nil
		}
		if err != nil {
			return nil, nil, err
		}
		switch name := part.FormName(); {
		case n >= maxFields:
			return nil, nil, status.Errorf(codes.InvalidArgument, "a form of more than %d fields is not taken", maxFields)
		case name == fileField && image != nil:
			return nil, nil, invalid(fileField, "one picture only")
		case name == fileField:
			image, err = text.readImage(part)
		case part.FileName() != "":
			return nil, nil, invalid(clip(name), "the file must come in the field "+fileField)
		default:
			var value []byte
			value, err = io.ReadAll(part)
			fields.Add(name, string(value))
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// textReader bounds how much of a form is not its image: fields, and the headers
// of all parts, which a multipart.Reader keeps.
type textReader struct {
	io.Reader
	left    int
	inImage bool
}

func (t *textReader) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	if !t.inImage {
		t.left -= n
	}
	if t.left < 0 {
		return 0, &jsonlimit.Error{Reason: fmt.Sprintf("its fields and headers are longer than %d bytes", textLimits.Bytes)}
	}
	return n, err
}

func (t *textReader) readImage(part io.Reader) ([]byte, error) {
	t.inImage = true
	defer func() { t.inImage = false }()
	return io.ReadAll(part)
}

// readFields sets the fields of a request: JSON where one is a message or a list
// of them, the others as in a query string.
func readFields(req proto.Message, fields url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		path := queryparams.Path(req, name)
		if len(path) != 1 || path[0].Message() == nil || strings.Contains(name, "[") {
			continue
		}
		for _, text := range fields[name] {
			one := req.ProtoReflect().New().Interface()
			if err := decodeJSON(strings.NewReader(fmt.Sprintf("{%q:%s}", path[0].Name(), text)), one); err != nil {
				return err
			}
			proto.Merge(req, one)
		}
		delete(fields, name)
	}
	var bad *queryparams.Error
	if err := queryparams.Read(req, fields); errors.As(err, &bad) && bad.Name != "" {
		return invalid(bad.Name, bad.Reason)
	} else if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return nil
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
	b, ok := ctx.Value(bodyKey{}).(*body)
	if !ok || b.form == nil || !b.form.wantsPicture {
		return nil
	}
	picture := &httpbody.HttpBody{}
	switch r := resp.(type) {
	case interface {
		GetResult() *imageflowv1.ProcessingResult
	}:
		picture.ContentType, picture.Data = r.GetResult().GetOutputImage().GetContentType(), r.GetResult().GetOutputData()
	case *imageflowv1.RunPipelineResponse:
		picture.ContentType, picture.Data = r.GetOutputImage().GetContentType(), r.GetOutputData()
	}
	if len(picture.Data) == 0 {
		return nil
	}
	return picture
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

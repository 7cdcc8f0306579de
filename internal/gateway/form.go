package gateway

import (
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/jsonlimit"
	"imageflow.dev/internal/rules"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	// fileField is the form field that holds the image.
	fileField = "image"
	// maxFields bounds the number of parts of a form.
	maxFields = 100
)

// form is a request that arrives as a form, as curl -F sends it. The field `image`
// holds the encoded image. The other fields have the names and the syntax of a query
// string, or hold JSON if the contract has a message or a list of messages.
//
// The answer to a form with an image and without an output location is the image
// itself, unless the Accept header contains application/json, or the request asks for
// detections without drawn boxes.
type form struct {
	boundary  string
	wantsJSON bool
	// accepted are the types of images in the Accept header.
	accepted []string
	// wantsImage means that the answer is the image itself. decode sets it.
	wantsImage bool
	// fromFile means that no field of the form is the image, as in JSON. decode sets it.
	fromFile bool
}

func newForm(r *http.Request, boundary string) *form {
	return &form{
		boundary: boundary, wantsJSON: strings.Contains(r.Header.Get("Accept"), jsonType),
		accepted: acceptedImages(r.Header.Values("Accept")),
	}
}

func (f *form) decode(r io.Reader, req proto.Message) error {
	image, fields, err := f.read(r)
	if err != nil {
		return err
	}
	if err := readQuery(req, fields); err != nil {
		return err
	}
	m := req.ProtoReflect()
	input := m.Descriptor().Fields().ByName(imageField)
	f.fromFile = input != nil && !m.Has(input)
	switch {
	case image == nil:
		return nil
	case len(image) == 0:
		return invalid(fileField, "the file is empty")
	case input == nil:
		return invalid(fileField, "the request has no image")
	case !f.fromFile:
		return invalid(imageField, "more than one image: there is one in "+fileField+", too")
	}
	m.Set(input, protoreflect.ValueOfBytes(image))
	if f.wantsImage = !f.wantsJSON && answersWithImage(req); f.wantsImage {
		setAccepted(req, f.accepted)
	}
	return nil
}

// read reads the image, which is nil if the form has none, and the other fields.
func (f *form) read(r io.Reader) (image []byte, fields url.Values, err error) {
	text := &textReader{Reader: r, left: textLimits.Bytes}
	fields = url.Values{}
	for parts, n := multipart.NewReader(text, f.boundary), 0; ; n++ {
		part, err := parts.NextPart()
		if err == io.EOF { //nolint:errorlint // a wrapped io.EOF means that the form is cut off
			return image, fields, nil
		}
		if err != nil {
			return nil, nil, err
		}
		switch name := part.FormName(); {
		case n >= maxFields:
			return nil, nil, status.Errorf(codes.InvalidArgument, "the form has more than %d fields", maxFields)
		case name == fileField && image != nil:
			return nil, nil, invalid(fileField, "more than one image")
		case name == fileField:
			image, err = text.readImage(part)
		case part.FileName() != "":
			return nil, nil, invalid(rules.Clip(name), "a file must be in the field "+fileField)
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

// textReader bounds the bytes of a form outside its image: the fields, and the headers
// of all parts, which a multipart.Reader keeps in memory.
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
		return 0, &jsonlimit.Error{
			Reason: fmt.Sprintf("its fields and headers are longer than %d bytes", textLimits.Bytes), TooLong: true,
		}
	}
	return n, err
}

func (t *textReader) readImage(part io.Reader) ([]byte, error) {
	t.inImage = true
	defer func() { t.inImage = false }()
	return io.ReadAll(part)
}

// answersWithImage reports whether the answer to an upload is the image itself.
func answersWithImage(req proto.Message) bool {
	if detect, ok := req.(*imageflowv1.DetectionRequest); ok && !detect.GetDrawBoxes() {
		return false
	}
	r, ok := req.(interface{ GetOutputImage() *imageflowv1.ImageData })
	return ok && r.GetOutputImage().GetBucket()+r.GetOutputImage().GetObjectKey() == ""
}

// imageOf returns the image of an answer, or nil if the caller does not want the image
// itself.
func imageOf(ctx context.Context, resp proto.Message) *httpbody.HttpBody {
	b, ok := ctx.Value(bodyKey{}).(*body)
	if !ok || b.form == nil || !b.form.wantsImage {
		return nil
	}
	image := &httpbody.HttpBody{}
	switch r := resp.(type) {
	case interface {
		GetResult() *imageflowv1.ProcessingResult
	}:
		image.ContentType, image.Data = r.GetResult().GetOutputImage().GetContentType(), r.GetResult().GetOutputData()
	case *imageflowv1.RunPipelineResponse:
		image.ContentType, image.Data = r.GetOutputImage().GetContentType(), r.GetOutputData()
	}
	if len(image.Data) == 0 {
		return nil
	}
	return image
}

// setImageHeaders and answerImage answer with the image itself if the caller wants it.
func setImageHeaders(ctx context.Context, w http.ResponseWriter, resp proto.Message) error {
	if image := imageOf(ctx, resp); image != nil {
		w.Header().Set("Content-Type", image.GetContentType())
		describeImage(w.Header(), resp)
	}
	return nil
}

func answerImage(ctx context.Context, resp proto.Message) (any, error) {
	if image := imageOf(ctx, resp); image != nil {
		return image, nil
	}
	return resp, nil
}

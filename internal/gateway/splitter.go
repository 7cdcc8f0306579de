package gateway

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/jsonlimit"
	"imageflow.dev/internal/requestjson"
)

// imageField is the field of a request that holds the encoded image.
const imageField = "input_bytes"

// readers are the buffers of decodeJSON.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 32<<10) }}

// decodeJSON reads a request. The image is decoded while it arrives; only the rest of
// the text is kept, which textLimits bound.
func decodeJSON(r io.Reader, req proto.Message) error {
	in := readers.Get().(*bufio.Reader)
	in.Reset(r)
	defer func() {
		in.Reset(nil)
		readers.Put(in)
	}()
	s := &splitter{in: in, scan: jsonlimit.NewScanner(textLimits)}
	if err := s.split(); err != nil {
		return err
	}
	if len(bytes.TrimSpace(s.text)) == 0 {
		return nil // an empty request: validation reports the missing fields
	}
	if err := requestjson.Unmarshal(s.text, req); err != nil {
		return s.describe(err)
	}
	field := req.ProtoReflect().Descriptor().Fields().ByName(imageField)
	if len(s.image) > 0 && field != nil {
		req.ProtoReflect().Set(field, protoreflect.ValueOfBytes(s.image))
	}
	return nil
}

// describe returns an error of requestjson as an InvalidArgument error, with offsets in the text that has the image.
func (s *splitter) describe(err error) error {
	var bad *requestjson.Error
	if !errors.As(err, &bad) {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if bad.At > s.imageAt {
		bad.At += s.imageBytes
	}
	if bad.Field == "" {
		return status.Error(codes.InvalidArgument, bad.Error())
	}
	return invalid(bad.Field, strings.TrimPrefix(bad.Error(), bad.Field+": "))
}

// splitter removes the image from a JSON text and leaves an empty string.
type splitter struct {
	in    *bufio.Reader
	scan  *jsonlimit.Scanner
	text  []byte // without the image
	image []byte
	// imageAt is the offset of the image in the text, and imageBytes its length in
	// base64.
	imageAt, imageBytes int
}

func (s *splitter) split() error {
	var begin int // offset of the current string
	var last, key []byte
	for {
		inString := s.scan.InString()
		c, err := s.in.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = s.keep(c)
		}
		if err != nil {
			return err
		}
		switch top := s.scan.Depth() == 1; {
		case !inString && s.scan.InString():
			begin = len(s.text)
			if top && isImage(key) {
				err = s.readImage()
			}
		case inString && !s.scan.InString():
			last = s.text[begin : len(s.text)-1]
		case inString:
		case top && c == ':':
			key = last
		case top && c == ',':
			key = nil
		}
		if err != nil {
			return err
		}
	}
}

func isImage(key []byte) bool { return string(key) == imageField || string(key) == "inputBytes" }

// keep adds a byte to the text.
func (s *splitter) keep(c byte) error {
	s.text = append(s.text, c)
	_, err := s.scan.Write([]byte{c})
	return err
}

// readImage reads a string up to its closing quote and decodes it.
func (s *splitter) readImage() error {
	s.imageAt = len(s.text)
	var image base64Text
	for {
		_, err := s.in.Peek(1) // fills the buffer
		if err != nil {
			return err
		}
		chunk, _ := s.in.Peek(s.in.Buffered())
		plain := chunk
		for _, end := range []byte(`"\`) {
			if i := bytes.IndexByte(plain, end); i >= 0 {
				plain = plain[:i]
			}
		}
		if len(plain) > 0 {
			err = image.add(plain)
		} else if chunk[0] == '"' {
			s.image, err = image.end()
			return err
		} else {
			plain, err = s.unescape(&image)
		}
		if err != nil {
			return err
		}
		s.imageBytes += len(plain)
		_, _ = s.in.Discard(len(plain))
	}
}

// unescape adds the character of the next escape sequence to the image and returns
// the sequence.
func (s *splitter) unescape(image *base64Text) ([]byte, error) {
	sequence, err := s.in.Peek(2)
	if err == nil && sequence[1] == 'u' {
		sequence, err = s.in.Peek(6)
	}
	if err != nil {
		return nil, err
	}
	c, ok := escaped(sequence[1:])
	if !ok {
		return nil, errNotBase64
	}
	return sequence, image.add([]byte{c})
}

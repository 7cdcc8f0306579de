// Package protolimit bounds the messages that a gRPC server decodes, before they are
// decoded: two bytes of protobuf can become hundreds of bytes of memory.
package protolimit

import (
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The limits of a message without its image, which is any field of type bytes on the
// first level. The largest pipeline of the contract needs less than a tenth of each.
const (
	maxBytes  = 256 << 10
	maxFields = 4000
	maxDepth  = 16
)

// scan counts the fields of a message and the bytes of its image.
type scan struct{ fields, imageBytes int }

// check refuses an encoded message beyond the limits. It allocates nothing.
func check(message []byte, d protoreflect.MessageDescriptor) error {
	var s scan
	if err := s.message(message, d, 0); err != nil {
		return err
	}
	if len(message)-s.imageBytes > maxBytes {
		return exceeded("is longer than %d bytes", maxBytes)
	}
	return nil
}

func exceeded(format string, limit int) error {
	return status.Error(codes.InvalidArgument, "the message without its image "+fmt.Sprintf(format, limit))
}

var errMalformed = status.Error(codes.InvalidArgument, "the message is not valid protobuf")

// message scans the fields of a message at a depth.
func (s *scan) message(b []byte, d protoreflect.MessageDescriptor, depth int) error {
	if depth >= maxDepth {
		return exceeded("is nested deeper than %d levels", maxDepth)
	}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errMalformed
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
			return errMalformed
		}
		if s.fields++; s.fields > maxFields {
			return exceeded("has more than %d fields", maxFields)
		}
		if field := d.Fields().ByNumber(number); field != nil && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(b)
			if err := s.value(value, field, depth); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}

// value scans a field with a length.
func (s *scan) value(b []byte, field protoreflect.FieldDescriptor, depth int) error {
	switch {
	case field.Message() != nil:
		return s.message(b, field.Message(), depth+1)
	case field.Kind() == protoreflect.BytesKind && depth == 0:
		s.imageBytes += len(b)
	case field.IsList() && field.Kind() != protoreflect.StringKind && field.Kind() != protoreflect.BytesKind:
		s.fields += len(b) // packed: each value has at least one byte
	}
	return nil
}

package protolimit

import (
	"errors"
	"io"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Arriving checks messages of one method while their bytes arrive, so that a
// hostile message is refused long before its end. It sees the fields of the first
// level; Codec checks the levels below.
type Arriving struct {
	request protoreflect.MessageDescriptor // nil for an unknown method: nothing is checked

	head          []byte // of the current field: its tag and, if it has one, its length or number
	value         uint64 // bytes of the current field that have not arrived yet
	fields, plain uint64 // plain are the bytes that belong to no image
}

// NewArriving returns the check of the method at the path of a gRPC call.
func NewArriving(path string) *Arriving {
	a := &Arriving{head: make([]byte, 0, 2*maxVarint)}
	name := strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", ".")
	if found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name)); err == nil {
		if method, ok := found.(protoreflect.MethodDescriptor); ok {
			a.request = method.Input()
		}
	}
	return a
}

const maxVarint = 10

// Reset begins the next message.
func (a *Arriving) Reset() { a.head, a.value, a.fields, a.plain = a.head[:0], 0, 0, 0 }

// Check returns an InvalidArgument error once the message, with the bytes of b
// added, exceeds a limit or is not protobuf.
func (a *Arriving) Check(b []byte) error {
	if a.request == nil {
		return nil
	}
	for len(b) > 0 {
		if n := min(a.value, uint64(len(b))); n > 0 {
			a.value -= n
			b = b[n:]
			continue
		}
		a.head = append(a.head, b[0])
		b = b[1:]
		if err := a.field(); err != nil {
			return err
		}
	}
	return nil
}

// field counts the current field once its head is complete.
func (a *Arriving) field() error {
	number, kind, n := protowire.ConsumeTag(a.head)
	var length uint64
	if n > 0 {
		n, length = a.rest(kind, a.head[n:])
	}
	switch {
	case n < 0 && errors.Is(protowire.ParseError(n), io.ErrUnexpectedEOF):
		return nil // the next byte belongs to the head
	case n < 0:
		return errMalformed
	}
	a.fields++
	a.plain += uint64(len(a.head))
	if !a.isImage(number, kind) {
		a.plain += min(length, maxBytes+1)
	}
	a.head, a.value = a.head[:0], length
	switch {
	case a.fields > maxFields:
		return exceeded("has more than %d fields", maxFields)
	case a.plain > maxBytes:
		return exceeded("is longer than %d bytes", maxBytes)
	}
	return nil
}

// rest parses what follows a tag in the head of a field. It returns a negative
// number, as protowire does, while the head is not complete, and how many bytes
// follow the head.
func (a *Arriving) rest(kind protowire.Type, b []byte) (n int, length uint64) {
	switch kind {
	case protowire.BytesType:
		length, n = protowire.ConsumeVarint(b)
	case protowire.VarintType:
		_, n = protowire.ConsumeVarint(b)
	case protowire.Fixed32Type:
		length = 4
	case protowire.Fixed64Type:
		length = 8
	}
	return n, length
}

// isImage reports whether a field of the first level holds an image.
func (a *Arriving) isImage(number protowire.Number, kind protowire.Type) bool {
	field := a.request.Fields().ByNumber(number)
	return kind == protowire.BytesType && field != nil && field.Kind() == protoreflect.BytesKind
}

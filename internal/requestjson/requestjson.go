// Package requestjson reads requests as JSON. It adds two things to protojson: enums may have their short names, and
// errors name the field as the contract does.
package requestjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/rules"
)

// Error reports JSON that is not a request. It repeats no value except of an enum.
type Error struct {
	// Field is the path of the field, such as steps[0].resize.target_width. It is empty if the error is not in a field.
	Field  string
	Reason string
	// At is the offset of JSON that is malformed, and -1 for other errors.
	At int
}

// Error returns the field and the reason.
func (e *Error) Error() string {
	reason := e.Reason
	if e.At >= 0 {
		reason = fmt.Sprintf("%s at byte %d", reason, e.At)
	}
	if e.Field == "" {
		return reason
	}
	return e.Field + ": " + reason
}

// Unmarshal reads a request. Fields have the names of the contract or lowerCamelCase names; enums have full names, short
// names (blur for FILTER_TYPE_BLUR) or numbers. Its errors are of type *Error.
func Unmarshal(text []byte, req proto.Message) error {
	m := req.ProtoReflect().Descriptor()
	full := withFullNames(text, m)
	err := protojson.Unmarshal(full.text, req)
	if err == nil {
		return nil
	}
	return explain(full, text, m, err)
}

// protoError matches an error of protojson: its position and its reason. The caller's own text follows the match.
var protoError = regexp.MustCompile(
	`(?s)\(line (\d+):(\d+)\): ((?:unknown|duplicate|error parsing|invalid value for|invalid google[.]protobuf[.]Timestamp value)?)`,
)

// reasons maps the reasons of protojson to texts that repeat no value.
var reasons = map[string]string{
	"unknown":       "no such field",
	"duplicate":     "given twice",
	"error parsing": "excluded by another field that is set",
}

func explain(full fullNames, given []byte, m protoreflect.MessageDescriptor, err error) *Error {
	found := protoError.FindStringSubmatch(err.Error())
	if found == nil {
		path, _ := fieldAt(full.text, m, len(full.text))
		return &Error{path, "the JSON text is not complete", -1}
	}
	at := offset(full.text, found[1], found[2])
	path, field := fieldAt(full.text, m, at)
	if reason, known := reasons[found[3]]; known {
		return &Error{path, reason, -1}
	}
	switch {
	case found[3] == "" || field == nil:
		return &Error{path, "unexpected JSON", full.given(at)}
	case field.Enum() != nil:
		return &Error{path, rules.NotOneOf(field.Enum(), valueAt(given, full.given(at))), -1}
	}
	return &Error{path, rules.NotValid(field), -1}
}

// offset returns the byte offset of a line and a column. Both start at 1, and columns count characters.
func offset(text []byte, line, column string) int {
	lines, _ := strconv.Atoi(line)
	columns, _ := strconv.Atoi(column)
	at := 0
	for range lines - 1 {
		at += bytes.IndexByte(text[at:], '\n') + 1
	}
	for range columns - 1 {
		_, size := utf8.DecodeRune(text[at:])
		at += size
	}
	return at
}

// valueAt returns the value at an offset: the text of a string without its quotes, and the JSON of other values.
func valueAt(text []byte, at int) string {
	var value json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(text[at:])).Decode(&value); err != nil {
		return string(text[at : at+1]) // it begins an array or an object that does not end
	}
	var name string
	if value[0] != '"' || json.Unmarshal(value, &name) != nil {
		return string(value)
	}
	return name
}

// Package queryparams reads a query string or a form into a request, by the rules of
// grpc-gateway. A name that the request does not have is an error.
package queryparams

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/jsonlimit"
	"imageflow.dev/internal/requestjson"
	"imageflow.dev/internal/rules"
)

// Error reports a parameter that cannot be read.
type Error struct {
	Name   string // empty if the error is not about one parameter
	Reason string
}

// Error returns the name and the reason.
func (e *Error) Error() string {
	if e.Name == "" {
		return e.Reason
	}
	return e.Name + ": " + e.Reason
}

// defaults is grpc-gateway's own parser, whatever parser a gateway has set.
var defaults = &runtime.DefaultQueryParser{}

// Read sets the fields of a request that the parameters name. A field of the request that is a message
// may be JSON; for a list of messages, each parameter has one or a list. The items of a list of messages that have a
// variant may also be given field by field: renditions.small.target_width=150 is that of the item with the variant
// small. They come in the order of their variants. Enums have full names, short names (blur for FILTER_TYPE_BLUR) or
// numbers. Read returns an *Error for the first wrong parameter in alphabetical order.
func Read(req proto.Message, parameters url.Values) error {
	parameters, items := splitItems(req, parameters)
	if err := readItems(req, items); err != nil {
		return err
	}
	none, simple := utilities.NewDoubleArray(nil), maps.Clone(parameters)
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		path := Path(req, name)
		if path == nil {
			return &Error{rules.Clip(name), "no such parameter"}
		}
		if !utf8.ValidString(name + strings.Join(parameters[name], "")) {
			return &Error{rules.Clip(name), "not UTF-8"}
		}
		if isJSON(path, parameters[name]) {
			for _, text := range parameters[name] {
				if err := readJSON(req, path[0], strings.TrimSpace(text)); err != nil {
					return err
				}
			}
			delete(simple, name)
			continue
		}
		simple[name] = fullNames(path[len(path)-1], parameters[name])
		// Each parameter is read alone first, so that an error can name it.
		single := req.ProtoReflect().Type().New().Interface()
		if err := defaults.Parse(single, url.Values{name: simple[name]}, none); err != nil {
			return &Error{contractName(path, name), reason(path, parameters[name])}
		}
	}
	if err := defaults.Parse(req, simple, none); err != nil {
		return &Error{"", "parameters: " + err.Error()}
	}
	return nil
}

// isJSON reports whether the values of a parameter are JSON of messages.
func isJSON(path []protoreflect.FieldDescriptor, values []string) bool {
	return len(path) == 1 && path[0].Message() != nil && !slices.ContainsFunc(values, func(text string) bool {
		text = strings.TrimSpace(text)
		return !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[")
	})
}

// readJSON merges the JSON of a field into a request.
func readJSON(req proto.Message, field protoreflect.FieldDescriptor, text string) error {
	if !json.Valid([]byte(text)) {
		return &Error{string(field.Name()), "not one value of JSON"} // it could name other fields of the request
	}
	if err := jsonlimit.Check([]byte(text), jsonLimits); err != nil {
		return &Error{string(field.Name()), err.Error()}
	}
	if field.IsList() && text[0] == '{' {
		text = "[" + text + "]"
	}
	single := req.ProtoReflect().Type().New().Interface()
	err := requestjson.Unmarshal(fmt.Appendf(nil, "{%q:%s}", field.Name(), text), single)
	var bad *requestjson.Error
	if errors.As(err, &bad) {
		return &Error{bad.Field, bad.Reason}
	}
	proto.Merge(req, single)
	return nil
}

// fullNames returns values in which short names of enums are replaced by full ones.
func fullNames(field protoreflect.FieldDescriptor, values []string) []string {
	if field.Enum() == nil {
		return values
	}
	full := make([]string, len(values))
	for i, text := range values {
		full[i] = rules.EnumName(field.Enum(), text)
	}
	return full
}

// contractName returns the name of a parameter as the contract has it, with the key of a map as it is.
func contractName(path []protoreflect.FieldDescriptor, name string) string {
	var fields []string
	for _, field := range path {
		fields = append(fields, string(field.Name()))
	}
	_, key, isEntry := strings.Cut(name, "[")
	if name = strings.Join(fields, "."); isEntry {
		name += "[" + key
	}
	return rules.Clip(name)
}

// reason explains why a parameter cannot be read. Unlike the errors of the library, it
// does not repeat the value, except of an enum.
func reason(path []protoreflect.FieldDescriptor, values []string) string {
	field := path[len(path)-1]
	switch {
	case len(values) > 1 && !field.IsList():
		return "given more than once"
	case field.Enum() != nil:
		return rules.NotOneOf(field.Enum(), firstWrong(field.Enum(), values))
	}
	return rules.NotValid(field)
}

// firstWrong returns the first of the values that the enum does not have.
func firstWrong(enum protoreflect.EnumDescriptor, values []string) string {
	i := slices.IndexFunc(values, func(text string) bool {
		number, err := strconv.Atoi(text)
		known := err == nil && enum.Values().ByNumber(protoreflect.EnumNumber(number)) != nil
		return !known && enum.Values().ByName(protoreflect.Name(rules.EnumName(enum, text))) == nil
	})
	return values[max(i, 0)]
}

// Path returns the fields on the path of a parameter's name, or nil if the request has
// no such field. a.b names a field of a field, and a[k] an entry of a map. In a.k.b, where a is a list whose messages
// have a variant, k is that of one of them.
func Path(req proto.Message, name string) (path []protoreflect.FieldDescriptor) {
	m := req.ProtoReflect().Descriptor()
	name, key, isEntry := strings.Cut(name, "[")
	isItem := false
	for part := range strings.SplitSeq(name, ".") {
		if isItem {
			isItem = false
			continue
		}
		if m == nil {
			return nil
		}
		field := m.Fields().ByName(protoreflect.Name(part))
		if field == nil {
			field = m.Fields().ByJSONName(part)
		}
		if field == nil {
			return nil
		}
		path, m = append(path, field), field.Message()
		isItem = hasItems(field) && len(path) == 1
	}
	if strings.Contains(name, ".") && len(path) == 1 {
		return nil // an item without a field
	}
	if isEntry && (!path[len(path)-1].IsMap() || strings.IndexByte(key, ']') != len(key)-1) {
		return nil // grpc-gateway would ignore it
	}
	return path
}

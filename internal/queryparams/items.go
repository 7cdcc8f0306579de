package queryparams

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/rules"
)

// itemKey is the field that names an item of a list of messages.
const itemKey protoreflect.Name = "variant"

// hasItems reports whether a field is a list of messages that have names.
func hasItems(field protoreflect.FieldDescriptor) bool {
	return field.IsList() && field.Message() != nil && field.Message().Fields().ByName(itemKey) != nil
}

// items are the parameters of the items of lists, by list and then by the key of the item.
type items map[protoreflect.FieldDescriptor]map[string]url.Values

// splitItems returns the parameters without those of items of lists.
func splitItems(req proto.Message, parameters url.Values) (others url.Values, found items) {
	others, found = url.Values{}, items{}
	for name, values := range parameters {
		parts := strings.SplitN(name, ".", 3)
		path := Path(req, name)
		if len(parts) < 3 || len(path) < 2 || !hasItems(path[0]) {
			others[name] = values
			continue
		}
		list := found[path[0]]
		if list == nil {
			list = map[string]url.Values{}
			found[path[0]] = list
		}
		if list[parts[1]] == nil {
			list[parts[1]] = url.Values{}
		}
		list[parts[1]][parts[2]] = values
	}
	return others, found
}

// readItems appends the items to the lists of a request.
func readItems(req proto.Message, all items) error {
	for field, list := range all {
		for _, key := range slices.Sorted(maps.Keys(list)) {
			name := string(field.Name()) + "." + key
			if !utf8.ValidString(key) {
				return &Error{rules.Clip(name), "not UTF-8"}
			}
			if list[key].Has(string(itemKey)) {
				return &Error{rules.Clip(name + "." + string(itemKey)), "the name of the parameter has it already"}
			}
			to := req.ProtoReflect().Mutable(field).List()
			item := to.NewElement()
			err := Read(item.Message().Interface(), list[key])
			var bad *Error
			if errors.As(err, &bad) && bad.Name != "" {
				bad.Name = rules.Clip(name + "." + bad.Name)
			}
			if err != nil {
				return err
			}
			item.Message().Set(field.Message().Fields().ByName(itemKey), protoreflect.ValueOfString(key))
			to.Append(item)
		}
	}
	return nil
}

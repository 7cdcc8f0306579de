package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// keywords has the keyword of JSON Schema for each rule of a value, or an empty one if JSON cannot break the rule. Rules of enums
// are not here: the schemas of enums list the values. A text of n characters has n bytes or more.
var keywords = map[protoreflect.Name]string{
	"gte": "minimum", "gt": "exclusiveMinimum", "lte": "maximum", "lt": "exclusiveMaximum", "in": "enum", "finite": "",
	"min_len": "minLength", "max_len": "maxLength", "max_bytes": "maxLength", "pattern": "pattern",
	"min_items": "minItems", "max_items": "maxItems", "unique": "uniqueItems",
	"min_pairs": "minProperties", "max_pairs": "maxProperties",
}

// freeInAnswers are fields that also answers have, with texts of the store that the rules of requests do not bind.
var freeInAnswers = map[string]bool{"ImageData.bucket": true, "ImageData.content_type": true, "ImageData.etag": true}

// addRanges adds the ranges of values that the rules of the contract permit to the schemas of messages and to the parameters of
// operations. Forms share the schemas of their fields with the requests. Rules in CEL are only in the contract.
func addRanges(document object, contract *descriptorpb.FileDescriptorProto) error {
	requests := requestsOf(contract)
	for _, message := range contract.MessageType {
		schema := document.get("components", "schemas", message.GetName())
		for _, field := range message.Field {
			name := message.GetName() + "." + field.GetName()
			if property := schema.get("properties", field.GetName()); property != nil && !freeInAnswers[name] {
				if err := limitField(schema, property, field); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		}
		requireOneOf(schema, message)
	}
	for path := range document.get("paths") {
		for _, member := range document.get("paths", path) {
			operation := member.(object)
			id := strings.TrimSuffix(operation["operationId"].(string), "_1") // of a second path of the method
			if err := limitParameters(operation, fieldsOf(contract, requests[id].name)); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return nil
}

func fieldsOf(contract *descriptorpb.FileDescriptorProto, message string) []*descriptorpb.FieldDescriptorProto {
	for _, m := range contract.MessageType {
		if m.GetName() == message {
			return m.Field
		}
	}
	return nil
}

// limitParameters adds the ranges of fields to the parameters with their names.
func limitParameters(operation object, fields []*descriptorpb.FieldDescriptorProto) error {
	parameters, _ := operation["parameters"].([]any)
	for _, p := range parameters {
		parameter := p.(object)
		for _, field := range fields {
			if field.GetName() != parameter["name"] {
				continue
			}
			if err := limitField(parameter, parameter.get("schema"), field); err != nil {
				return fmt.Errorf("%s: %w", field.GetName(), err)
			}
		}
	}
	return nil
}

// limitField adds the ranges of a field to its schema, which the parent has as a property or is the parameter of.
func limitField(parent, schema object, field *descriptorpb.FieldDescriptorProto) error {
	rules, _ := proto.GetExtension(field.GetOptions(), validate.E_Field).(*validate.FieldRules)
	if rules.GetRequired() {
		required, _ := parent["required"].([]any)
		parent["required"] = append(required, field.GetName())
		schema["minLength"] = 1
	}
	err := limitValue(schema, rules)
	if schema["exclusiveMinimum"] == zero { // 0 is no value: requests take a preset's, and answers have it
		delete(schema, "exclusiveMinimum")
		schema["minimum"] = zero
	}
	return err
}

const zero = json.Number("0")

// limitValue adds the ranges of a value, of its items or of its keys and values.
func limitValue(schema object, rules *validate.FieldRules) error {
	m := rules.ProtoReflect()
	kind := m.WhichOneof(m.Descriptor().Oneofs().ByName("type"))
	if kind == nil || rules.HasEnum() {
		return nil
	}
	var err error
	if items := rules.GetRepeated().GetItems(); items != nil {
		err = limitValue(schema.get("items"), items)
	}
	if values := rules.GetMap().GetValues(); values != nil {
		err = limitValue(schema.get("additionalProperties"), values)
	}
	if keys := rules.GetMap().GetKeys(); keys != nil {
		names := object{}
		schema["propertyNames"] = names
		err = limitValue(names, keys)
	}
	m.Get(kind).Message().Range(func(rule protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if err == nil && rule.Message() == nil && !rule.IsExtension() {
			err = addKeyword(schema, kind.Name(), rule, value)
		}
		return err == nil
	})
	if err == nil && rules.GetIgnore() == validate.Ignore_IGNORE_IF_ZERO_VALUE {
		admitZero(schema)
	}
	return err
}

func addKeyword(schema object, kind protoreflect.Name, rule protoreflect.FieldDescriptor, value protoreflect.Value) error {
	keyword, known := keywords[rule.Name()]
	if _, twice := schema[keyword]; !known || twice {
		return fmt.Errorf("the rule %s.%s has no keyword of JSON Schema", kind, rule.Name())
	}
	switch {
	case keyword == "":
	case kind == "bytes":
		schema[keyword] = (value.Uint() + 2) / 3 * 4 // base64
	case rule.IsList():
		var all []any
		for i := range value.List().Len() {
			all = append(all, value.List().Get(i).Interface())
		}
		schema[keyword] = all
	default:
		schema[keyword] = plainNumber(value.Interface())
	}
	return nil
}

// plainNumber returns a float with the digits that the contract has, and other values as they are.
func plainNumber(value any) any {
	switch v := value.(type) {
	case float32:
		return json.Number(strconv.FormatFloat(float64(v), 'f', -1, 32))
	case float64:
		return json.Number(strconv.FormatFloat(v, 'f', -1, 64))
	}
	return value
}

// admitZero admits 0, or the empty text, which stands for the default, besides the values of a schema. Generators of clients make
// other types of schemas with anyOf, but ignore not.
func admitZero(schema object) {
	if minimum, ok := schema["minimum"]; ok {
		schema["minimum"] = 0
		schema["not"] = object{"exclusiveMinimum": 0, "exclusiveMaximum": minimum}
	}
	if pattern, ok := schema["pattern"].(string); ok {
		schema["pattern"] = "^$|" + pattern
	}
}

// requireOneOf describes a message with a oneof that must be set.
func requireOneOf(schema object, message *descriptorpb.DescriptorProto) {
	for _, oneof := range message.OneofDecl {
		rules, _ := proto.GetExtension(oneof.GetOptions(), validate.E_Oneof).(*validate.OneofRules)
		if schema != nil && rules.GetRequired() {
			schema["minProperties"] = 1
		}
	}
}

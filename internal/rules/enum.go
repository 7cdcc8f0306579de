package rules

import (
	"fmt"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// EnumName returns the name that the contract gives to a value of an enum, for a short name such as blur for
// FILTER_TYPE_BLUR. Other texts are returned as they are: full names, and texts that name nothing.
func EnumName(enum protoreflect.EnumDescriptor, text string) string {
	values := enum.Values()
	for i := range values.Len() {
		if v := values.Get(i); v.Number() != 0 && shortName(v) == text {
			return string(v.Name())
		}
	}
	return text
}

// NotOneOf returns what is wrong with a text that names no value of an enum: it quotes the text and lists the short names.
func NotOneOf(enum protoreflect.EnumDescriptor, text string) string {
	return fmt.Sprintf("%+.64q is not one of %s", text, shortNames(enum))
}

// shortName returns a value's name in lower case and without the prefix that all values of the enum have.
func shortName(v protoreflect.EnumValueDescriptor) string {
	enum := v.Parent().(protoreflect.EnumDescriptor)
	prefix := strings.TrimSuffix(string(enum.Values().ByNumber(0).Name()), "UNSPECIFIED")
	return strings.ToLower(strings.TrimPrefix(string(v.Name()), prefix))
}

func shortNames(enum protoreflect.EnumDescriptor) string {
	var names []string
	values := enum.Values()
	for i := range values.Len() {
		if v := values.Get(i); v.Number() != 0 {
			names = append(names, shortName(v))
		}
	}
	return strings.Join(names, ", ")
}

// Message returns the text of a violation. It lists the values of enums and describes patterns, which the texts of
// protovalidate do not.
func Message(v *protovalidate.Violation) string {
	if v.Proto.GetRuleId() == "string.pattern" {
		if sentence, ok := patterns[v.RuleValue.String()]; ok {
			return sentence
		}
	}
	if v.FieldDescriptor == nil || v.FieldDescriptor.Enum() == nil {
		return v.Proto.GetMessage()
	}
	enum := v.FieldDescriptor.Enum()
	switch v.Proto.GetRuleId() {
	case "enum.defined_only":
		return NotOneOf(enum, v.FieldValue.String())
	case "enum.not_in":
		return "must be one of " + shortNames(enum)
	}
	return v.Proto.GetMessage()
}

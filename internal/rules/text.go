package rules

import "google.golang.org/protobuf/reflect/protoreflect"

// patterns are the sentences for the patterns of the contract's texts.
var patterns = map[string]string{
	`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`: "must have 3 to 63 lower-case letters, digits, dots and hyphens, " +
		"and begin and end with a letter or a digit",
	`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`: "must have 1 to 128 letters, digits, dots, underscores and hyphens, " +
		"and begin with a letter or a digit",
	`^[1-9][0-9]{0,8}$`:  "must be a number from 1 to 999999999 without leading zeros",
	`^#?[0-9a-fA-F]{6}$`: "must be a colour of six hexadecimal digits, such as #ff8800",
}

const timestamp protoreflect.FullName = "google.protobuf.Timestamp"

// NotValid returns the reason why a text is no value of a field. For times, it says what form they have.
func NotValid(field protoreflect.FieldDescriptor) string {
	switch {
	case field.Message() == nil:
		return "not a valid " + field.Kind().String()
	case field.Message().FullName() == timestamp:
		return "not a time of RFC 3339, such as 2026-11-29T03:00:00Z"
	}
	return "not a valid value"
}

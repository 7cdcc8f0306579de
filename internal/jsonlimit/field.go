package jsonlimit

import (
	"bytes"
	"encoding/json"
	"slices"
)

// StringField returns the first field of a JSON object that has one of the names and a
// string as its value. It returns "" if there is none. It stops at the field, so the end
// of the text may be missing.
func StringField(text []byte, names ...string) string {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return ""
	}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return ""
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return ""
		}
		var field string
		if slices.Contains(names, name) && json.Unmarshal(value, &field) == nil {
			return field
		}
	}
	return ""
}

package requestjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/rules"
)

// walker reads the tokens of a text, and follows the fields of a message.
type walker struct {
	*json.Decoder
	message protoreflect.MessageDescriptor
	levels  []*level
}

// level is an array or an object that encloses a position in a text.
type level struct {
	array bool
	count int // number of elements, or of keys and values, so far
	key   string
	// message is that of an object; nil for maps and for objects that the contract does not have.
	message protoreflect.MessageDescriptor
	// field is the field of the current value; nil if the contract has none.
	field protoreflect.FieldDescriptor
}

func newWalker(text []byte, m protoreflect.MessageDescriptor) *walker {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return &walker{Decoder: d, message: m}
}

// next reads a token. An array or an object that it opens is not yet on the levels: open adds it.
func (w *walker) next() (json.Token, error) {
	token, err := w.Token()
	if err != nil {
		return nil, err
	}
	if token == json.Delim('}') || token == json.Delim(']') {
		w.levels = w.levels[:len(w.levels)-1]
	} else if len(w.levels) > 0 {
		w.levels[len(w.levels)-1].enter(token)
	}
	return token, nil
}

func (l *level) enter(token json.Token) {
	if l.count++; l.array || l.count%2 == 0 {
		return
	}
	l.key, _ = token.(string)
	if l.message == nil {
		return
	}
	if l.field = l.message.Fields().ByName(protoreflect.Name(l.key)); l.field == nil {
		l.field = l.message.Fields().ByJSONName(l.key)
	}
}

// open adds the array or the object that a token opens, if it opens one.
func (w *walker) open(token json.Token) {
	field := w.field()
	switch token {
	case json.Delim('['):
		w.levels = append(w.levels, &level{array: true, field: field})
	case json.Delim('{'):
		switch {
		case len(w.levels) == 0:
			w.levels = append(w.levels, &level{message: w.message})
		case field == nil:
			w.levels = append(w.levels, &level{})
		case field.IsMap():
			w.levels = append(w.levels, &level{field: field.MapValue()})
		default:
			w.levels = append(w.levels, &level{message: field.Message()})
		}
	}
}

// field returns the field of the current key or value, or nil.
func (w *walker) field() protoreflect.FieldDescriptor {
	if len(w.levels) == 0 {
		return nil
	}
	return w.levels[len(w.levels)-1].field
}

// isValue reports whether the current token is a value, and not a key.
func (w *walker) isValue() bool {
	if len(w.levels) == 0 {
		return false
	}
	l := w.levels[len(w.levels)-1]
	return l.array || l.count%2 == 0
}

// fullNames is a text in which the short names of enums are replaced by full ones, as far as the text is JSON.
type fullNames struct {
	text    []byte
	lengths []growth
}

// growth is a replaced name: the offset at which its full name ends, and the bytes by which that is longer.
type growth struct{ end, bytes int }

func withFullNames(text []byte, m protoreflect.MessageDescriptor) fullNames {
	var full fullNames
	w, copied := newWalker(text, m), 0
	for w.More() || len(w.levels) > 0 {
		begin := int(w.InputOffset())
		token, err := w.next()
		if err != nil {
			break
		}
		if field := w.field(); field != nil && field.Enum() != nil && w.isValue() {
			short := fmt.Sprint(token)
			if name := rules.EnumName(field.Enum(), short); name != short {
				end := int(w.InputOffset())
				begin += len(text[begin:end]) - len(bytes.TrimLeft(text[begin:end], " \t\r\n:,"))
				full.text = fmt.Appendf(append(full.text, text[copied:begin]...), "%q", name)
				full.lengths = append(full.lengths, growth{len(full.text), len(name) + len(`""`) - (end - begin)})
				copied = end
			}
		}
		w.open(token)
	}
	full.text = append(full.text, text[copied:]...)
	return full
}

// given returns the offset in the caller's text of an offset in the text with full names.
func (f fullNames) given(at int) int {
	before := at
	for _, l := range f.lengths {
		if l.end <= at {
			before -= l.bytes
		}
	}
	return before
}

// fieldAt returns the path and the field at an offset of a text. The path ends where the text is not JSON.
func fieldAt(text []byte, m protoreflect.MessageDescriptor, at int) (string, protoreflect.FieldDescriptor) {
	w := newWalker(text, m)
	for int(w.InputOffset()) <= at {
		token, err := w.next()
		if err != nil {
			break
		}
		if int(w.InputOffset()) <= at {
			w.open(token)
		}
	}
	return w.path(), w.field()
}

func (w *walker) path() string {
	var path strings.Builder
	for _, l := range w.levels {
		if l.count == 0 {
			continue
		}
		if l.array {
			fmt.Fprintf(&path, "[%d]", l.count-1)
			continue
		}
		if path.Len() > 0 {
			path.WriteByte('.')
		}
		if l.message != nil && l.field != nil {
			path.WriteString(string(l.field.Name()))
		} else {
			path.WriteString(rules.Clip(l.key))
		}
	}
	return path.String()
}

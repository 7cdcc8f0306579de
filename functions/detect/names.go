package detect

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

const pythonString = `'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"`

// dictItem matches one item of a Python dict from numbers to strings, and listItem one
// of a list of strings.
var (
	dictItem = regexp.MustCompile(`(\d+)\s*:\s*(?:` + pythonString + `)`)
	listItem = regexp.MustCompile(pythonString)
)

// byteOrderMark begins some text files of Windows.
const byteOrderMark = "\ufeff"

// parseNames parses class names: an object or a list of JSON, or a dict or a list of
// Python, as in {0: 'cat', 1: 'dog'}. It returns nil if a number is missing.
func parseNames(text string) []string {
	text = strings.TrimSpace(strings.TrimPrefix(text, byteOrderMark))
	var list []string
	if json.Unmarshal([]byte(text), &list) == nil {
		return list
	}
	var object map[string]string
	if json.Unmarshal([]byte(text), &object) == nil {
		return inOrder(object)
	}
	if strings.HasPrefix(text, "[") {
		for _, m := range listItem.FindAllStringSubmatch(text, -1) {
			list = append(list, unescape(m[1]+m[2]))
		}
		return list
	}
	dict := map[string]string{}
	for _, m := range dictItem.FindAllStringSubmatch(text, -1) {
		dict[m[1]] = unescape(m[2] + m[3])
	}
	return inOrder(dict)
}

// inOrder returns the names by their numbers, which must be 0, 1, 2 and so on.
func inOrder(byID map[string]string) []string {
	var names []string
	for i := range len(byID) {
		name, ok := byID[strconv.Itoa(i)]
		if !ok {
			return nil
		}
		names = append(names, name)
	}
	return names
}

// unescape replaces the escape sequences of a Python string. As in Python, others stay.
func unescape(s string) string {
	var out strings.Builder
	for s != "" {
		if strings.HasPrefix(s, `\'`) || strings.HasPrefix(s, `\"`) {
			out.WriteByte(s[1])
			s = s[2:]
			continue
		}
		r, _, rest, err := strconv.UnquoteChar(s, 0)
		if err != nil {
			_, size := utf8.DecodeRuneInString(s)
			out.WriteString(s[:size])
			s = s[size:]
			continue
		}
		out.WriteRune(r)
		s = rest
	}
	return out.String()
}

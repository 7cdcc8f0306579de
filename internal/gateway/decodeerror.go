package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxQuoted is how much of a caller's own words an error repeats.
const maxQuoted = 64

// plainName is a name that needs no quotes.
var plainName = regexp.MustCompile(`^[\w./+-]{1,64}$`)

// clip returns a caller's words for an error: short, and without control
// characters.
func clip(words string) string {
	if plainName.MatchString(words) {
		return words
	}
	if len(words) <= maxQuoted {
		return strconv.QuoteToASCII(words)
	}
	return strconv.QuoteToASCII(words[:maxQuoted]) + "..."
}

// jsonError is what protojson says: where, and what is wrong, with the words of
// the caller at its end.
var jsonError = regexp.MustCompile(`(?s)\(line (\d+):(\d+)\): ((?:unknown|duplicate|error parsing|invalid value for \w+)?)`)

// jsonReasons says in our words what is wrong, without the caller's.
var jsonReasons = map[string]string{
	"unknown":       "no such field",
	"duplicate":     "given twice",
	"error parsing": "given beside another field that excludes it",
}

// describe explains an error of protojson about the text: it names the field and
// repeats no value.
func (s *splitter) describe(err error) error {
	at, reason := len(s.text), "the JSON text is not complete"
	if found := jsonError.FindStringSubmatch(err.Error()); found != nil {
		at = offset(s.text, found[1], found[2])
		reason = s.reason(found[3], at)
	}
	if path := pathAt(s.text, at); path != "" {
		return invalid(path, reason)
	}
	return status.Error(codes.InvalidArgument, reason)
}

func (s *splitter) reason(what string, at int) string {
	if reason, known := jsonReasons[what]; known {
		return reason
	}
	if kind, wrong := strings.CutPrefix(what, "invalid value for "); wrong {
		return "not a valid " + kind
	}
	if at > s.imageAt {
		at += s.imageBytes
	}
	return fmt.Sprintf("unexpected JSON at byte %d", at)
}

// offset translates a line and a column, in characters, both from 1.
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

// level is an array or an object on the way to a place in a text.
type level struct {
	array bool
	count int // of elements, or of keys and values
	key   string
}

// pathAt returns the path of the field at an offset of a text, as far as the text
// is JSON: steps[0].resize.target_width.
func pathAt(text []byte, at int) string {
	d := json.NewDecoder(bytes.NewReader(text))
	var levels []*level
	for int(d.InputOffset()) <= at {
		token, err := d.Token()
		if err != nil {
			break
		}
		delimiter, _ := token.(json.Delim)
		if delimiter == '}' || delimiter == ']' {
			levels = levels[:len(levels)-1]
			continue
		}
		if len(levels) > 0 {
			levels[len(levels)-1].enter(token)
		}
		if delimiter != 0 && int(d.InputOffset()) <= at {
			levels = append(levels, &level{array: delimiter == '['})
		}
	}
	return join(levels)
}

func (l *level) enter(token json.Token) {
	if l.count++; !l.array && l.count%2 == 1 {
		l.key, _ = token.(string)
	}
}

func join(levels []*level) string {
	var path strings.Builder
	for _, l := range levels {
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
		path.WriteString(clip(l.key))
	}
	return path.String()
}

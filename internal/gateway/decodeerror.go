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

// maxQuoted is the number of bytes of a caller's text that an error repeats.
const maxQuoted = 64

// plainName matches names that need no quotes.
var plainName = regexp.MustCompile(`^[\w./+-]{1,64}$`)

// clip returns a caller's text for an error: shortened, and without control
// characters.
func clip(text string) string {
	if plainName.MatchString(text) {
		return text
	}
	if len(text) <= maxQuoted {
		return strconv.QuoteToASCII(text)
	}
	return strconv.QuoteToASCII(text[:maxQuoted]) + "..."
}

// jsonError matches an error of protojson: its position and its reason. The caller's
// own text follows the match.
var jsonError = regexp.MustCompile(`(?s)\(line (\d+):(\d+)\): ((?:unknown|duplicate|error parsing|invalid value for \w+)?)`)

// jsonReasons maps the reasons of protojson to texts that repeat no value.
var jsonReasons = map[string]string{
	"unknown":       "no such field",
	"duplicate":     "given twice",
	"error parsing": "excluded by another field that is set",
}

// describe turns an error of protojson into one that names the field and repeats no
// value.
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

func (s *splitter) reason(matched string, at int) string {
	if reason, known := jsonReasons[matched]; known {
		return reason
	}
	if kind, wrong := strings.CutPrefix(matched, "invalid value for "); wrong {
		return "not a valid " + kind
	}
	if at > s.imageAt {
		at += s.imageBytes
	}
	return fmt.Sprintf("unexpected JSON at byte %d", at)
}

// offset returns the byte offset of a line and a column. Both start at 1, and columns
// count characters.
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

// level is an array or an object that encloses a position in a text.
type level struct {
	array bool
	count int // number of elements, or of keys and values, so far
	key   string
}

// pathAt returns the path of the field at an offset of a text, such as
// steps[0].resize.target_width. The path ends where the text is not JSON.
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

// Package jsonlimit bounds a JSON text while it is read, before it is decoded: a few
// bytes of JSON can become hundreds of bytes of memory.
package jsonlimit

import (
	"fmt"
	"io"
)

// Limits are maxima; 0 means no limit.
type Limits struct {
	// Bytes bounds the length of the text.
	Bytes int
	// Depth bounds the nesting of arrays and objects.
	Depth int
	// Elements bounds the number of elements and members of all arrays and objects
	// together. An empty array or object counts as one.
	Elements int
	// Members bounds those of the outermost array or object.
	Members int
}

// Error reports which limit a text exceeds.
type Error struct {
	Reason string
	// TooLong means that the text is longer than Limits.Bytes.
	TooLong bool
}

// Error returns the reason.
func (e *Error) Error() string { return e.Reason }

// Scanner checks the text that is written to it. It accepts invalid JSON, which the
// decoder refuses later.
type Scanner struct {
	limits                          Limits
	bytes, depth, elements, members int
	inString, escaped               bool
}

// NewScanner returns a Scanner for one text.
func NewScanner(l Limits) *Scanner { return &Scanner{limits: l} }

// Write scans the next bytes of the text. Its errors are of type *Error.
func (s *Scanner) Write(p []byte) (int, error) {
	if s.bytes += len(p); exceeds(s.bytes, s.limits.Bytes) {
		return 0, &Error{fmt.Sprintf("the JSON text is longer than %d bytes", s.limits.Bytes), true}
	}
	for _, c := range p {
		s.scan(c)
		if exceeds(s.depth, s.limits.Depth) {
			return 0, &Error{fmt.Sprintf("the JSON text is nested deeper than %d levels", s.limits.Depth), false}
		}
		if exceeds(s.elements, s.limits.Elements) {
			return 0, &Error{fmt.Sprintf("the JSON text has more than %d elements", s.limits.Elements), false}
		}
		if exceeds(s.members, s.limits.Members) {
			return 0, &Error{fmt.Sprintf("the JSON text has more than %d members", s.limits.Members), false}
		}
	}
	return len(p), nil
}

// Depth returns the number of open arrays and objects.
func (s *Scanner) Depth() int { return s.depth }

// InString reports whether a string is open.
func (s *Scanner) InString() bool { return s.inString }

func exceeds(value, limit int) bool { return limit > 0 && value > limit }

func (s *Scanner) scan(c byte) {
	switch {
	case s.escaped:
		s.escaped = false
	case s.inString:
		s.inString, s.escaped = c != '"', c == '\\'
	case c == '"':
		s.inString = true
	case c == '{' || c == '[':
		s.depth++
		s.count() // its first element
	case c == '}' || c == ']':
		s.depth = max(s.depth-1, 0)
	case c == ',':
		s.count()
	}
}

func (s *Scanner) count() {
	s.elements++
	if s.depth == 1 {
		s.members++
	}
}

// Check scans a whole text. Its errors are of type *Error.
func Check(text []byte, l Limits) error {
	_, err := NewScanner(l).Write(text)
	return err
}

// NewReader returns a reader of r that fails with an *Error when the text exceeds a
// limit.
func NewReader(r io.Reader, l Limits) io.Reader { return io.TeeReader(r, NewScanner(l)) }

// Package jsonlimit bounds a JSON text while it is read, before a decoder makes
// values of it: a few bytes of JSON can take hundreds of bytes of memory.
package jsonlimit

import (
	"fmt"
	"io"
)

// Limits are the largest numbers allowed; 0 is no limit.
type Limits struct {
	// Bytes is the length of the text.
	Bytes int
	// Depth is how many arrays and objects contain one another.
	Depth int
	// Elements is how many elements and members all arrays and objects have
	// together. An empty array or object counts as one.
	Elements int
	// Members is how many of them the outermost array or object has itself.
	Members int
}

// Error reports which limit a text exceeds.
type Error struct{ Reason string }

// Error returns the reason.
func (e *Error) Error() string { return e.Reason }

// Scanner checks the text that is written to it. It accepts texts that are not
// JSON: the decoder that comes after it refuses them.
type Scanner struct {
	limits                          Limits
	bytes, depth, elements, members int
	inString, escaped               bool
}

// NewScanner returns a Scanner of one text.
func NewScanner(l Limits) *Scanner { return &Scanner{limits: l} }

// Write scans the next bytes of the text. Its errors are Errors.
func (s *Scanner) Write(p []byte) (int, error) {
	if s.bytes += len(p); exceeds(s.bytes, s.limits.Bytes) {
		return 0, &Error{fmt.Sprintf("the JSON text is longer than %d bytes", s.limits.Bytes)}
	}
	for _, c := range p {
		s.scan(c)
		if exceeds(s.depth, s.limits.Depth) {
			return 0, &Error{fmt.Sprintf("the JSON text is nested deeper than %d levels", s.limits.Depth)}
		}
		if exceeds(s.elements, s.limits.Elements) {
			return 0, &Error{fmt.Sprintf("the JSON text has more than %d elements", s.limits.Elements)}
		}
		if exceeds(s.members, s.limits.Members) {
			return 0, &Error{fmt.Sprintf("the JSON text has more than %d members", s.limits.Members)}
		}
	}
	return len(p), nil
}

// Depth returns how many arrays and objects are open.
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
		s.count() // the first one in it
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

// Check scans a whole text. Its errors are Errors.
func Check(text []byte, l Limits) error {
	_, err := NewScanner(l).Write(text)
	return err
}

// NewReader returns a reader of r that fails with an Error where the text
// exceeds a limit.
func NewReader(r io.Reader, l Limits) io.Reader { return io.TeeReader(r, NewScanner(l)) }

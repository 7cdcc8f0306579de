package functions

import (
	"errors"
	"fmt"
	"time"
)

// Kind reports whose fault an error is and whether a retry can help. Each transport
// translates it once.
type Kind int

// The five kinds.
const (
	// Internal is a fault of ImageFlow; its text is logged and never sent.
	Internal Kind = iota
	// Invalid is bad input: parameters, format, size, corruption.
	Invalid
	// NotFound is an object or a model that does not exist.
	NotFound
	// Busy is a full queue; a retry a little later can help.
	Busy
	// Unavailable is a store or a backend that does not answer; a retry can help.
	Unavailable
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	return [...]string{"internal", "invalid", "not found", "busy", "unavailable"}[k]
}

// Error is an error with a kind. Message is written for the caller.
type Error struct {
	Kind Kind
	// Field is the path of the request field at fault, as in
	// google.rpc.BadRequest; empty when no single field is.
	Field   string
	Message string
	// RetryAfter is the delay suggested for a Busy or Unavailable; 0 means 1 s.
	RetryAfter time.Duration
	// Cause is logged and never sent.
	Cause error
}

// Error returns the message and the cause.
func (e *Error) Error() string {
	text := e.Message
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an error of the kind about a field ("" for none).
func Errorf(kind Kind, field, format string, args ...any) *Error {
	return &Error{Kind: kind, Field: field, Message: fmt.Sprintf(format, args...)}
}

// AsError finds the Error in err's chain. Any other error becomes an Internal
// error with a message without details, and err as its cause.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Message: "internal error", Cause: err}
}

// Package text makes texts for people: counts, and foreign strings that a terminal must not obey.
package text

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Count returns a number and what it counts: "1 file", "2 files", "2 prefixes".
func Count(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "x"):
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Escape returns a foreign string, such as the name of a file, for a line of a terminal. Characters that a terminal would obey,
// line ends and characters without a form of their own, such as those that reverse the direction of others, are escaped as in Go.
func Escape(s string) string { return escape(s, "") }

// EscapeLines is Escape for texts of several lines: it keeps line ends and tabs.
func EscapeLines(s string) string { return escape(s, "\n\t") }

// escape is Escape without the characters in kept.
func escape(s, kept string) string {
	var escaped strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1: // no UTF-8
			fmt.Fprintf(&escaped, `\x%02x`, s[0])
		case unicode.IsGraphic(r) || strings.ContainsRune(kept, r):
			escaped.WriteString(s[:size])
		default:
			escaped.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		s = s[size:]
	}
	return escaped.String()
}

// Writer passes on texts with EscapeLines. Each Write has whole characters, as those of package fmt do.
type Writer struct{ To io.Writer }

// Write writes the escaped text.
func (w Writer) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.To, EscapeLines(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

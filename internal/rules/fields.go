package rules

import (
	"regexp"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// fieldNames matches a text that begins with the fields which it is about, as the rules about several fields do:
// "target_width and target_height: at least one must be above 0".
var fieldNames = regexp.MustCompile(`^([a-z][a-z0-9_.]*(?:(?:, | or | and )[a-z][a-z0-9_.]*)*): (.+)$`)

var separators = regexp.MustCompile(`, | or | and `)

// BadRequest returns the details of an error about a field. If the field is empty, the details name the fields with which
// the message begins. They are nil if the message names none.
func BadRequest(field, message string) *errdetails.BadRequest {
	fields, reason := []string{field}, message
	if field == "" {
		found := fieldNames.FindStringSubmatch(message)
		if found == nil {
			return nil
		}
		fields, reason = separators.Split(found[1], -1), found[2]
	}
	details := &errdetails.BadRequest{}
	for _, name := range fields {
		details.FieldViolations = append(details.FieldViolations,
			&errdetails.BadRequest_FieldViolation{Field: name, Description: reason})
	}
	return details
}

// maxQuoted is the number of bytes of a caller's text that an error repeats.
const maxQuoted = 64

// plainName matches names that need no quotes, such as steps[0].resize and image/png.
var plainName = regexp.MustCompile(`^[\w./+\[\]-]{1,64}$`)

// Clip returns a caller's text for an error: shortened, and without control characters.
func Clip(text string) string {
	if plainName.MatchString(text) {
		return text
	}
	if len(text) <= maxQuoted {
		return strconv.QuoteToASCII(text)
	}
	return strconv.QuoteToASCII(text[:maxQuoted]) + "..."
}

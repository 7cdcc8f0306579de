package queryparams

import (
	"fmt"
	"net/url"
	"strings"

	"imageflow.dev/internal/jsonlimit"
)

// The limits of a query string.
const (
	maxQueryBytes = 8 << 10
	maxParameters = 100
)

// jsonLimits bound the JSON of one parameter.
var jsonLimits = jsonlimit.Limits{Bytes: 256 << 10, Depth: 16, Elements: 1000}

// CheckQuery returns an *Error for a query string beyond the limits.
func CheckQuery(query string) error {
	if len(query) > maxQueryBytes {
		return &Error{"", fmt.Sprintf("parameters: the query string is longer than %d bytes", maxQueryBytes)}
	}
	if strings.Count(query, "&") >= maxParameters {
		return &Error{"", fmt.Sprintf("parameters: the query string has more than %d", maxParameters)}
	}
	return nil
}

// Parse parses a query string within the limits. Its errors are of type *Error.
func Parse(query string) (url.Values, error) {
	if err := CheckQuery(query); err != nil {
		return nil, err
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, &Error{"", "parameters: the query string is not URL-encoded"}
	}
	return values, nil
}

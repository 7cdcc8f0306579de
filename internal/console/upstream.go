package console

import (
	"net/url"
	"strings"

	"imageflow.dev/internal/processors"
)

// stepNames are the names of the processors.
var stepNames = func() (names []string) {
	for _, p := range processors.All {
		names = append(names, p.Name)
	}
	return names
}()

// traceURL returns the page of a trace; empty if there is none.
func (s *Console) traceURL(id string) string {
	if id == "" || s.config.TraceURL == "" {
		return ""
	}
	return strings.ReplaceAll(s.config.TraceURL, "{trace_id}", url.PathEscape(id))
}

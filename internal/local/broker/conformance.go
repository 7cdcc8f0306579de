package broker

import (
	"errors"
	"net/http"
)

// Matches reports whether the filters of the only Trigger match an event with
// these headers. Only tests call it: one of them compares it with Knative's
// broker, in a module of its own.
func (m *Manifests) Matches(header http.Header) (bool, error) {
	if len(m.triggers) != 1 {
		return false, errors.New("not one Trigger")
	}
	e, err := readEvent(header, nil)
	return err == nil && m.triggers[0].matches(e.attributes()), err
}

package rules

import (
	"fmt"
	"strings"
)

// Pairs reads name=value pairs that are separated by spaces, the text of a variable. The error shows no text.
func Pairs(variable, text string) (map[string]string, error) {
	found := map[string]string{}
	for i, field := range strings.Fields(text) {
		name, value, ok := strings.Cut(field, "=")
		if _, twice := found[name]; !ok || twice {
			return nil, fmt.Errorf("%s: entry %d does not have the form name=value, or its name is there twice", variable, i+1)
		}
		found[name] = value
	}
	return found, nil
}

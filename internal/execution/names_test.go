package execution_test

import (
	"strings"
	"testing"

	"imageflow.dev/internal/execution"
)

func TestNamesFit(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for id, fits := range map[string]bool{
		"cat": true, x(234): true, x(235): false, x(255) + "/" + x(234): true, x(256) + "/cat": false,
		x(234) + "/" + x(235): false, strings.Repeat("é", 118): false,
	} {
		if got := execution.NamesFit(id); got != fits {
			t.Errorf("%d bytes: %v, want %v", len(id), got, fits)
		}
	}
}

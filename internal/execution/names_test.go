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
		if got := execution.NamesFit(id, ""); got != fits {
			t.Errorf("%d bytes: %v, want %v", len(id), got, fits)
		}
	}
	if variant := x(32); !execution.NamesFit(x(204), variant) || execution.NamesFit(x(205), variant) {
		t.Error("with a variant of 32 bytes, 204 bytes must fit and 205 must not")
	}
}

package presets_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imageflow.dev/internal/presets"
)

// TestParse_aliases: a small file that stands for a large one is refused before the work, and a large one is not read.
func TestParse_aliases(t *testing.T) {
	var wrong, bomb strings.Builder
	wrong.WriteString("x: &x {")
	for i := range 10_000 {
		fmt.Fprintf(&wrong, "wrong%d: 1, ", i)
	}
	bomb.WriteString(wrong.String() + "}\npresets:\n")
	for i := range 1000 {
		fmt.Fprintf(&bomb, "  p%d: {resize: *x}\n", i)
	}
	_, err := presets.Parse([]byte(bomb.String()))
	if err == nil || len(err.Error()) > 200 || !strings.Contains(err.Error(), "100000 values") {
		t.Errorf("%.200v", err)
	}
	manyErrors := wrong.String() + "}\npresets:\n  a: {resize: *x}"
	if _, err := presets.Parse([]byte(manyErrors)); err == nil || len(err.Error()) > 2000 || !strings.Contains(err.Error(), "more") {
		t.Errorf("%.2000v", err)
	}
	const twice = "presets:\n  a:\n    resize: &r {target_width: 64}\n  b:\n    resize: *r"
	if s := parse(t, twice); len(s.List().GetPresets()) != 2 {
		t.Error("an alias is refused")
	}
	file := filepath.Join(t.TempDir(), "presets.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 1<<40); err != nil { // sparse
		t.Fatal(err)
	}
	if _, err := presets.Load(file); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("a file of 1 TiB: %v", err)
	}
}

// TestParse_values: values that mean something else than they seem to are errors, and names cannot control the terminal.
func TestParse_values(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"presets:\n  a:\n    resize: {target_width: 010}", "line 3: preset a: resize: target_width: 010 begins with 0"},
		{"presets:\n  a:\n    filter: {intensity: .nan}", "line 3: preset a: filter: intensity: NaN is not a number"},
		{"presets:\n  a:\n    resize: {trim: {tolerance: -.inf}}", "line 3: preset a: resize: trim: -Inf is not a number"},
		{"presets:\n  a:\n    resize: {enlarge: yes}", "write true or false"},
		{"presets:\n  a:\n    resize: {\"x\\e[31m\\n\": 1}", `line 3: preset a: resize: "x\x1b[31m\n": no such`},
		{"presets:\n  a: &a\n    resize: *a", "more than 100000 values"},
	} {
		if _, err := presets.Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n%v, want %s", c.text, err, c.want)
		}
	}
}

package role_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/cmd/internal/role"
)

// TestPresetsAreChecked: no role starts with a wrong file, and a processor checks its presets by its own rules, too.
func TestPresetsAreChecked(t *testing.T) {
	needed(t)
	for _, c := range []struct{ role, text, want string }{
		{"gateway", "pipelines:\n  a:\n    - resize: {}", "line 3: pipeline a: step 1: resize: "},
		{"resize", "presets:\n  a:\n    filter: {intensity: 1}", "line 3: preset a: filter: filter_type: "},
		{"filter", "presets:\n  a:\n    filter: {filter_type: FILTER_TYPE_SHARPEN, intensity: 99}", "preset a: filter: intensity: "},
	} {
		file := filepath.Join(t.TempDir(), "presets.yaml")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PRESETS_FILE", file)
		config := configOf(t, c.role)
		err := role.Load(config)
		if err == nil {
			err = config.Validate()
		}
		if err == nil {
			i := slices.IndexFunc(role.All, func(r role.Role) bool { return r.Name == c.role })
			_, err = role.All[i].Listen(t.Context(), config, nil)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "PRESETS_FILE: "+file) {
			t.Errorf("%s: %v, want %s", c.role, err, c.want)
		}
	}
}

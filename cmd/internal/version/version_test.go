package version

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestDescribe(t *testing.T) {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	for _, c := range []struct {
		name, revision string
		info           debug.BuildInfo
		want           string
	}{
		{
			"built in a clone", "",
			debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v0.1.0"}, Settings: []debug.BuildSetting{
				{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-11-27T00:00:00Z"}, {Key: "vcs.modified", Value: "true"},
			}},
			"imageflow v0.1.0\ncommit: abc, with uncommitted changes, 2026-11-27T00:00:00Z\ngo: go1.26.8 " + platform + "\n",
		},
		{
			"built as an image", "def",
			debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"}},
			"imageflow (devel)\ncommit: def\ngo: go1.26.8 " + platform + "\n",
		},
		{
			"built without a repository", "",
			debug.BuildInfo{GoVersion: "go1.26.8"},
			"imageflow (devel)\ncommit: unknown\ngo: go1.26.8 " + platform + "\n",
		},
	} {
		if got := describe("imageflow", c.revision, &c.info); got != c.want {
			t.Errorf("%s: got\n%swant\n%s", c.name, got, c.want)
		}
	}
}

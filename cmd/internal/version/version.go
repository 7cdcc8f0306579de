// Package version describes the build of a command.
package version

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// revision is the commit. The linker sets it in builds without a repository, such as the
// builds of container images.
var revision string

// Write writes the version, the commit, and the Go version of the running command.
func Write(out io.Writer, command string) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{GoVersion: runtime.Version()}
	}
	_, err := fmt.Fprint(out, describe(command, revision, info))
	return err
}

func describe(command, revision string, info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	commit := cmp.Or(settings["vcs.revision"], revision, "unknown")
	if settings["vcs.modified"] == "true" {
		commit += ", with uncommitted changes"
	}
	if made := settings["vcs.time"]; made != "" {
		commit += ", " + made
	}
	return fmt.Sprintf("%s %s\ncommit: %s\ngo: %s %s/%s\n",
		command, cmp.Or(info.Main.Version, "(devel)"), commit, info.GoVersion, runtime.GOOS, runtime.GOARCH)
}

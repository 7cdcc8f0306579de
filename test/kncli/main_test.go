package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestRun_plugin: a plugin on the PATH gets the arguments after its name, and its exit code is kn's.
func TestRun_plugin(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$@\" >" + dir + "/got\nexit 3\n"
	if err := os.WriteFile(filepath.Join(dir, "kn-imageflow"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv("HOME", dir)
	var plugged *exec.ExitError
	if err := run([]string{"imageflow", "chain", "list", "-o", "yaml"}); !errors.As(err, &plugged) || plugged.ExitCode() != 3 {
		t.Errorf("got %v", err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "got")); err != nil || string(got) != "chain list -o yaml\n" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, args := range [][]string{{"imageflov"}, {"service", "lst"}, {"service", "list", "--colour"}} {
		if err := run(args); err == nil || errors.As(err, &plugged) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

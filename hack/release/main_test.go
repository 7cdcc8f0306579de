package main

import (
	"archive/tar"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const dpkgStatus = `Package: libtiff6
Status: install ok installed
Architecture: amd64
Version: 4.5.0-6+deb12u1

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
`

// writeArchive writes an archive whose binary is this test, and whose second layer replaces a file of the first.
func writeArchive(t *testing.T, file string) {
	t.Helper()
	test, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(test)
	if err != nil {
		t.Fatal(err)
	}
	old := "Package: old\nStatus: install ok installed\nVersion: 1\n"
	text := pack(t, map[string]string{
		"manifest.json": `[{"Config":"c.json","RepoTags":["dev.local/imageflow:v1"],"Layers":["1.tar","2.tar"]}]`,
		"c.json": `{"created":"2026-11-28T10:00:00.5Z","architecture":"amd64",
			"config":{"Labels":{"org.opencontainers.image.revision":"abc"}}}`,
		"1.tar": pack(t, map[string]string{"imageflow": string(program), status: old}),
		"2.tar": pack(t, map[string]string{
			"./" + status: dpkgStatus, "usr/local/lib/libvips.so.42": "vips", "etc/passwd": "root",
		}),
	})
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDescribe(t *testing.T) {
	folder := t.TempDir()
	archive := filepath.Join(folder, "plain.tar")
	writeArchive(t, archive)
	base := strings.Repeat("0f", 32)
	if err := describe(archive, "--build-arg DEBIAN_IMAGE=debian@sha256:"+base); err != nil {
		t.Fatal(err)
	}

	var s sbom
	readJSON(t, filepath.Join(folder, "plain.spdx.json"), &s)
	var names []string
	for _, p := range s.Packages {
		names = append(names, p.Name+" "+p.Version)
	}
	for want, has := range map[string]bool{
		"libtiff6 4.5.0-6+deb12u1": true, "libvips.so.42 ": true, "imageflow ": true, "old 1": false, "gone 1": false, "passwd ": false,
	} {
		if slices.Contains(names, want) != has {
			t.Errorf("the packages are %q; %q is among them: %v, want %v", names, want, !has, has)
		}
	}
	if s.Creation.Created != "2026-11-28T10:00:00Z" || len(s.Relationships) != len(s.Packages) {
		t.Errorf("made at %s, %d relationships of %d packages", s.Creation.Created, len(s.Relationships), len(s.Packages))
	}

	var p statement
	readJSON(t, filepath.Join(folder, "plain.provenance.json"), &p)
	sources := p.Predicate.Build.Dependencies
	if len(sources) < 2 || sources[0].Digest["gitCommit"] != "abc" || sources[1].Digest["sha256"] != base {
		t.Errorf("built from %v", sources)
	}
	if got := p.Subject[0].Digest["sha256"]; got != s.Packages[0].Checksums[0].Value || len(got) != 64 {
		t.Errorf("the subject has the digest %q", got)
	}
}

// TestDescribe_other: an archive that is no image is an error that says what is missing.
func TestDescribe_other(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "other.tar")
	if err := os.WriteFile(archive, []byte(pack(t, map[string]string{"a": "b"})), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := describe(archive, ""); err == nil || !strings.Contains(err.Error(), "manifest.json is missing") {
		t.Errorf("%v", err)
	}
}

func pack(t *testing.T, files map[string]string) string {
	t.Helper()
	var text strings.Builder
	w := tar.NewWriter(&text)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func readJSON(t *testing.T, file string, v any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatal(err)
	}
}

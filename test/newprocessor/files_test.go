package newprocessor_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxFiles is the number of existing files that a new processor may change.
const maxFiles = 6

// registration matches the names by which existing files refer to one processor.
const registration = `functions/filter|processors\.Filter|filter-grpc-service|FILTER_GRPC_ENDPOINT|FilterService|` +
	`FilterRequest|this\.filter|credentials-filter|filter\.json|step="filter"`

// examples are files that refer to the processor filter because they use it. They
// register nothing.
var examples = []string{
	"eventing/chain.yaml",                       // the example chain
	"eventing/examples/redact.yaml",             // another one
	"eventing/examples/renditions.yaml",         // one with branches
	"config/components/oidc/kustomization.yaml", // the audiences of the example chain
	// Processors that are not named here are called through their Services.
	"config/components/direct/kustomization.yaml", "config/components/direct/pods.yaml",
	"func/routes.go", // the Function passes the calls of the processors that it names
}

// own matches the files of the processor filter itself, generated code, and tests.
var own = regexp.MustCompile(`^functions/filter/|^proto/imageflow/v1/filter|^config/base/filter-grpc-service\.yaml$|` +
	`^config/minio-policies/filter\.json$|\.pb(\.gw)?\.go$|^internal/gateway/(imageflow\.proto|openapi\.json)$|` +
	`_test\.(go|yaml)$|^test/|/testdata/|\.md$|\.svg$`)

// TestFilesToTouch compares three lists of the files that a new processor changes: the
// edits of this test, docs/ARCHITECTURE.md, and the files that register filter.
func TestFilesToTouch(t *testing.T) {
	var edited []string
	for _, e := range edits {
		if !slices.Contains(edited, e.file) {
			edited = append(edited, e.file)
		}
	}
	if len(edited) > maxFiles {
		t.Errorf("%d files are edited, want at most %d", len(edited), maxFiles)
	}
	if documented := documentedFiles(t); !slices.Equal(documented, edited) {
		t.Errorf("docs/ARCHITECTURE.md lists %q, want %q", documented, edited)
	}
	out, err := exec.Command("git", "-C", root, "grep", "-lE", registration).Output()
	if err != nil {
		t.Fatal(err)
	}
	var registering []string
	for _, file := range strings.Fields(string(out)) {
		if !own.MatchString(file) && !slices.Contains(examples, file) {
			registering = append(registering, file)
		}
	}
	slices.Sort(edited)
	if !slices.Equal(registering, edited) {
		t.Errorf("filter is registered in %q, but a new processor edits %q", registering, edited)
	}
}

// documentedFiles returns the numbered files of the section "Adding a processor".
func documentedFiles(t *testing.T) (files []string) {
	_, section, _ := strings.Cut(read(t, filepath.Join(root, "docs/ARCHITECTURE.md")), "\n## Adding a processor\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range regexp.MustCompile("(?m)^\\d+\\. `([^`]+)`").FindAllStringSubmatch(section, -1) {
		files = append(files, m[1])
	}
	return files
}

package imageflow_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	code     = regexp.MustCompile("`([^`\n]+)`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	filePath = regexp.MustCompile(`^\.?[\w-][\w.-]*(/[\w.-]+)+/?(:\w+)?$|^\.?[\w-]+\.(go|md|yaml|yml|proto|mod)(:\w+)?$`)
	target   = regexp.MustCompile(`^make ([a-z0-9-]+)`)
)

// TestDocumentedPathsExist checks each path in backticks in docs/. A path may end in ":Name": then the file or
// the folder must declare Name.
func TestDocumentedPathsExist(t *testing.T) {
	for _, file := range markdown(t, "docs") {
		for _, text := range codeSpans(t, file) {
			if !filePath.MatchString(text) || isOtherName(text) {
				continue
			}
			path, name, _ := strings.Cut(text, ":")
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s names %s: %v", file, text, err)
			} else if name != "" && !declares(t, path, name) {
				t.Errorf("%s names %s, but %s does not declare %s", file, text, path, name)
			}
		}
	}
}

// TestDocumentedTargetsExist checks each `make TARGET` in a Markdown file.
func TestDocumentedTargetsExist(t *testing.T) {
	makefile := read(t, "Makefile")
	for _, file := range markdown(t, ".") {
		for _, text := range codeSpans(t, file) {
			if m := target.FindStringSubmatch(text); m != nil && !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s names make %s, which the Makefile does not have", file, m[1])
			}
		}
	}
}

// TestLinksOfDocumentsResolve checks each relative link in a Markdown file, with its anchor.
func TestLinksOfDocumentsResolve(t *testing.T) {
	for _, file := range markdown(t, ".") {
		for _, m := range link.FindAllStringSubmatch(read(t, file), -1) {
			path, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			goal := file
			if path != "" {
				goal = filepath.Join(filepath.Dir(file), path)
			}
			if _, err := os.Stat(goal); err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
			} else if anchor != "" && !slices.Contains(anchors(t, goal), anchor) {
				t.Errorf("%s links to %s, a heading that %s does not have", file, m[1], goal)
			}
		}
	}
}

// TestNoticeListsLinkedModules compares section 4 of NOTICE with the modules that the binary links.
func TestNoticeListsLinkedModules(t *testing.T) {
	const format = "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}"
	out, err := exec.Command("go", "list", "-deps", "-f", format, "./cmd/imageflow").Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := slices.Compact(slices.Sorted(slices.Values(strings.Fields(string(out)))))
	_, section, _ := strings.Cut(read(t, "NOTICE"), "\n4. ")
	section, _, _ = strings.Cut(section, "\n5. ")
	var listed []string
	for _, m := range regexp.MustCompile(`(?m)^     (\S+)$`).FindAllStringSubmatch(section, -1) {
		listed = append(listed, m[1])
	}
	for _, module := range linked {
		if !slices.Contains(listed, module) {
			t.Errorf("NOTICE lacks %s", module)
		}
	}
	for _, module := range listed {
		if !slices.Contains(linked, module) {
			t.Errorf("NOTICE lists %s, which the binary does not link", module)
		}
	}
}

// markdown returns the Markdown files below dir, without build outputs and data.
func markdown(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", ".cache", "bin", "data"}, path):
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func codeSpans(t *testing.T, file string) []string {
	t.Helper()
	var spans []string
	for _, m := range code.FindAllStringSubmatch(read(t, file), -1) {
		spans = append(spans, m[1])
	}
	return spans
}

// isOtherName reports whether a text that looks like a path is a media type or the key of an object.
func isOtherName(text string) bool {
	first, _, _ := strings.Cut(text, "/")
	return slices.Contains([]string{"image", "application", "multipart", "text", "uploads", "imageflow-files"}, first)
}

// declares reports whether a Go file, or a Go file of a folder, declares a function, method, type or variable.
func declares(t *testing.T, path, name string) bool {
	t.Helper()
	files := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		files, _ = filepath.Glob(filepath.Join(path, "*.go"))
	}
	inGo := `(?m)^(func (\([^)]*\) )?|type |var |const |\t)` + name + `\b`
	inProto := `(?m)^\s*(message|service|enum|rpc) ` + name + `\b`
	declaration := regexp.MustCompile(inGo + "|" + inProto)
	return slices.ContainsFunc(files, func(file string) bool { return declaration.MatchString(read(t, file)) })
}

// anchors returns the fragments by which GitHub links to the headings of a Markdown file.
func anchors(t *testing.T, file string) []string {
	t.Helper()
	var all []string
	for _, m := range heading.FindAllStringSubmatch(read(t, file), -1) {
		slug := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(m[1])), " ", "-")
		all = append(all, regexp.MustCompile(`[^\p{L}\p{N}_-]`).ReplaceAllString(slug, ""))
	}
	return all
}

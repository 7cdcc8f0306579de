package triggers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The limits of what is read. A ConfigMap has at most 1 MiB.
const (
	maxBytes    = 4 << 20
	maxTriggers = 500
)

// File is a file with manifests.
type File struct {
	Name string
	Text []byte
}

// ReadFiles reads files and the .yaml and .yml files of folders, without subfolders. It fails if there are none.
func ReadFiles(paths []string) (files []File, err error) {
	left := int64(maxBytes)
	for _, path := range paths {
		names := []string{path}
		if info, err := os.Stat(path); err != nil {
			return nil, err
		} else if info.IsDir() {
			if names, err = filepath.Glob(filepath.Join(escapeGlob(path), "*.y*ml")); err != nil || len(names) == 0 {
				return nil, errors.Join(err, fmt.Errorf("%s: no .yaml file", path))
			}
		}
		for _, name := range names {
			text, err := readFile(name, left)
			if err != nil {
				return nil, err
			}
			left -= int64(len(text))
			files = append(files, File{name, text})
		}
	}
	return files, nil
}

// escapeGlob returns a pattern that matches only the path.
func escapeGlob(path string) string {
	return regexp.MustCompile(`[*?\[\\]`).ReplaceAllString(path, `\$0`)
}

// readFile reads at most limit bytes.
func readFile(name string, limit int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s: all files together may have at most %d bytes", name, maxBytes)
	}
	return text, err
}

// Parse returns the Triggers of files. It ignores documents of other kinds, except that it reads the items of a
// List, as kubectl prints it.
func Parse(files []File) (all []Trigger, err error) {
	for _, file := range files {
		for i, text := range Documents(file.Text) {
			found, err := parseDocument(text)
			if err != nil {
				return nil, fmt.Errorf("%s: document %d: %w", file.Name, i+1, err)
			}
			for _, t := range found {
				t.File = file.Name
				t.Location = file.Name + ": Trigger " + t.Metadata.Name
				all = append(all, t)
			}
			if len(all) > maxTriggers {
				return nil, fmt.Errorf("%s: more than %d Triggers", file.Name, maxTriggers)
			}
		}
	}
	return all, nil
}

// parseDocument returns the Triggers in a document, none if it is of another kind.
func parseDocument(text []byte) (found []Trigger, err error) {
	var content any
	var kind struct {
		Kind  string
		Items []json.RawMessage
	}
	if err = yaml.Unmarshal(text, &content); err == nil {
		if text, err = json.Marshal(content); err == nil {
			err = json.Unmarshal(text, &kind)
		}
	}
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	items := []json.RawMessage{text}
	if strings.HasSuffix(kind.Kind, "List") {
		items = kind.Items
	}
	for _, item := range items {
		var t struct {
			Kind string
			Trigger
		}
		if err := json.Unmarshal(item, &t); err != nil {
			return nil, err
		}
		if t.Kind == "Trigger" || kind.Kind == "TriggerList" {
			found = append(found, t.Trigger)
		}
	}
	return found, nil
}

var separator = regexp.MustCompile(`(?m)^---[ \t]*(#.*)?\r?\n`)

// Documents returns the documents of a YAML file.
func Documents(text []byte) (all [][]byte) {
	start := 0
	for _, at := range separator.FindAllIndex(text, -1) {
		all = append(all, text[start:at[0]])
		start = at[1]
	}
	return append(all, text[start:])
}

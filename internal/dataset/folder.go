package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// provenanceFile marks a folder that Export wrote, and says how.
const provenanceFile = "imageflow-export.json"

// target is where a dataset is written: a stream, or a folder that gets its name at the end.
type target struct {
	stream io.Writer

	name string   // of the folder
	temp string   // the name until commit
	root *os.Root // of temp; nil for a stream
}

// newFolder creates a folder beside the one with the given name. That must not exist, be empty or, if
// overwrite is set, be written by Export.
func newFolder(name string, overwrite bool) (*target, error) {
	name = filepath.Clean(name)
	entries, err := os.ReadDir(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(name, provenanceFile)); err != nil {
			return nil, fmt.Errorf("%s is not empty and no export: name another folder with --out", name)
		}
		if !overwrite {
			return nil, fmt.Errorf("%s is an earlier export: --overwrite replaces it", name)
		}
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(temp)
	return &target{name: name, temp: temp, root: root}, err
}

// create creates a file in the folder, and its parents. The file must not exist.
func (t *target) create(name string) (*os.File, error) {
	if err := t.root.MkdirAll(path.Dir(name), 0o777); err != nil {
		return nil, err
	}
	return t.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

// write writes a file as create does.
func (t *target) write(name string, data []byte) error {
	f, err := t.create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// annotate writes the annotations of one image. Two images whose names differ only in the extension
// have annotations of the same name.
func (t *target) annotate(name string, data []byte) error {
	err := t.write(name, data)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: another side-car is of the same image, or of one whose name differs only in the extension;"+
			" export them with another --prefix, or as coco or jsonl", name)
	}
	return err
}

// commit gives the folder its name, in place of an earlier export.
func (t *target) commit(provenance any) error {
	if t.root == nil {
		return nil
	}
	text, err := json.MarshalIndent(provenance, "", "  ")
	if err != nil {
		return err
	}
	if err := t.write(provenanceFile, append(text, '\n')); err != nil {
		return err
	}
	old := t.temp + ".old"
	if err := os.Rename(t.name, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := errors.Join(os.Chmod(t.temp, 0o755), os.Rename(t.temp, t.name)); err != nil {
		return err
	}
	return os.RemoveAll(old)
}

// discard removes the folder if it has not got its name.
func (t *target) discard() {
	_ = t.root.Close()
	_ = os.RemoveAll(t.temp)
}

// provenance describes an export in its folder.
type provenance struct {
	Format        string   `json:"format"`
	Bucket        string   `json:"bucket"`
	Prefix        string   `json:"prefix"`
	Model         string   `json:"model"`
	Classes       []string `json:"classes,omitempty"`
	MinConfidence float32  `json:"min_confidence,omitempty"`
	Split         string   `json:"split,omitempty"`
	Counts        Counts   `json:"counts"`
}

func (e *exporter) provenance() provenance {
	p := provenance{
		Format: e.Format, Bucket: e.Bucket, Prefix: e.Prefix, Model: e.Model,
		Classes: e.Selection.Classes, MinConfidence: e.MinConfidence, Counts: e.counts,
	}
	if p.Model == "" {
		p.Model = e.models.name + "/" + e.models.version
	}
	if e.Split != (Split{}) {
		p.Split = fmt.Sprintf("%d:%d", e.Split.Train, e.Split.Val)
	}
	return p
}

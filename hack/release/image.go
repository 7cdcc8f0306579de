package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strings"
)

// image is what an archive says about an image.
type image struct {
	// name is NAME:TAG, and sha256 the digest of the archive.
	name, sha256 string
	config       config
	// files has the last version of the files that name contents: the binary, libraries and dpkg's status.
	files map[string][]byte
	goMod *buildinfo.BuildInfo
}

// config has the fields of an image's configuration that the documents need.
type config struct {
	Created      string
	Architecture string
	Config       struct{ Labels map[string]string }
}

const (
	binary = "imageflow"
	status = "var/lib/dpkg/status"
)

// ours matches the libraries that are not files of Debian's packages.
var ours = regexp.MustCompile(`^usr/(local/lib|lib/libonnxruntime)[^ ]*\.so[.\d]*$`)

// readImage reads an archive with one image.
func readImage(archive string) (*image, error) {
	entries, err := openArchive(archive)
	if err != nil {
		return nil, err
	}
	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := entries.json("manifest.json", &manifest); err != nil {
		return nil, err
	}
	if len(manifest) != 1 || len(manifest[0].RepoTags) == 0 {
		return nil, errors.New("the archive must have one image with a name")
	}
	i := &image{name: manifest[0].RepoTags[0], sha256: entries.sha256, files: map[string][]byte{}}
	if err := entries.json(manifest[0].Config, &i.config); err != nil {
		return nil, err
	}
	for _, layer := range manifest[0].Layers {
		if err := entries.layer(layer, i.addFile); err != nil {
			return nil, fmt.Errorf("%s: %w", layer, err)
		}
	}
	if i.goMod, err = buildinfo.Read(bytes.NewReader(i.files[binary])); err != nil {
		return nil, fmt.Errorf("/%s: %w", binary, err)
	}
	return i, nil
}

// addFile keeps a file of a layer if it names contents.
func (i *image) addFile(h *tar.Header, r io.Reader) (err error) {
	name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
	if h.Typeflag == tar.TypeReg && (name == binary || name == status || ours.MatchString(name)) {
		i.files[name], err = io.ReadAll(r)
	}
	return err
}

// archive has the places of an archive's entries.
type archive struct {
	file    *os.File
	sha256  string
	entries map[string]*io.SectionReader
}

func openArchive(name string) (*archive, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	a := &archive{file: file, sha256: hex.EncodeToString(sum.Sum(nil)), entries: map[string]*io.SectionReader{}}
	links := map[string]string{}
	err = each(file, func(h *tar.Header, _ io.Reader) error {
		at, err := file.Seek(0, io.SeekCurrent)
		a.entries[h.Name] = io.NewSectionReader(file, at, h.Size)
		if h.Typeflag == tar.TypeSymlink {
			links[h.Name] = path.Join(path.Dir(h.Name), h.Linkname)
		}
		return err
	})
	for from, to := range links {
		a.entries[from] = a.entries[to]
	}
	return a, err
}

func (a *archive) json(name string, v any) error {
	if a.entries[name] == nil {
		return fmt.Errorf("%s is missing", name)
	}
	return json.NewDecoder(a.entries[name]).Decode(v)
}

// layer passes the entries of a layer to add.
func (a *archive) layer(name string, add func(*tar.Header, io.Reader) error) error {
	if a.entries[name] == nil {
		return errors.New("missing")
	}
	if _, err := a.entries[name].Seek(0, io.SeekStart); err != nil {
		return err
	}
	return each(a.entries[name], add)
}

func each(r io.Reader, do func(*tar.Header, io.Reader) error) error {
	for entries := tar.NewReader(r); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := do(h, entries); err != nil {
			return err
		}
	}
}

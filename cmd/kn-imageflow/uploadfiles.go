package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"imageflow.dev/cmd/kn-imageflow/internal/text"
	"imageflow.dev/internal/uploads"
)

// file is a file that is to become an object.
type file struct {
	path string
	size int64
	// contentType is the media type of the object.
	contentType string
}

// refusal says why a file is not uploaded.
type refusal struct {
	path string
	err  error
}

// fileFilter says which files are taken.
type fileFilter struct {
	// maxBytes is the size of the largest file.
	maxBytes int64
	// recursive also takes the files below folders, and anything also takes what no step would take.
	recursive, anything bool
}

// collect returns the files of the arguments, in their order, and what is not taken of them.
func (s fileFilter) collect(args []string) (files []file, refused []refusal) {
	take := func(path string) {
		f, err := s.check(path)
		if err != nil {
			refused = append(refused, refusal{path, err})
			return
		}
		files = append(files, f)
	}
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case err != nil || !info.IsDir():
			take(arg)
		case !s.recursive:
			refused = append(refused, refusal{arg, errors.New("it is a folder, which --recursive takes")})
		default:
			_ = filepath.WalkDir(arg, func(path string, entry fs.DirEntry, err error) error {
				switch {
				case err != nil: // an unreadable folder: go on with others
					refused = append(refused, refusal{path, err})
				case !entry.IsDir():
					take(path)
				}
				return nil
			})
		}
	}
	return files, refused
}

// check returns a file, or the reason why no step would take it.
func (s fileFilter) check(path string) (file, error) {
	f := file{path: path}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return f, reasonOf(err)
	case !info.Mode().IsRegular():
		return f, errors.New("it is not a regular file")
	}
	f.size = info.Size()
	content, err := os.Open(path)
	if err != nil {
		return f, reasonOf(err)
	}
	defer content.Close()
	start := make([]byte, min(f.size, 512)) // as much as http.DetectContentType considers
	if _, err := io.ReadFull(content, start); err != nil {
		return f, reasonOf(err)
	}
	f.contentType = uploads.ContentType(path, start)
	switch {
	case s.anything:
	case f.size == 0:
		return f, errors.New("it is empty")
	case f.size > s.maxBytes:
		return f, fmt.Errorf("it has %s, but the processors' MAX_OBJECT_BYTES is %d", text.Count(int(f.size), "byte"), s.maxBytes)
	case !uploads.StartsLikeImage(start):
		return f, errors.New("it does not begin like an image")
	}
	return f, nil
}

// reasonOf returns the error without the path, which stands before it.
func reasonOf(err error) error {
	if of := (*fs.PathError)(nil); errors.As(err, &of) {
		return of.Err
	}
	return err
}

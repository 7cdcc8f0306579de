package dataset

import (
	"bufio"
	"errors"
	"io"
)

// textFile is a buffered file of the folder, or the stream.
type textFile struct {
	*bufio.Writer
	closer io.Closer // nil for the stream
}

// text creates a file. A target without a folder has only the stream.
func (t *target) text(name string) (*textFile, error) {
	if t.root == nil {
		return &textFile{Writer: bufio.NewWriter(t.stream)}, nil
	}
	f, err := t.create(name)
	if err != nil {
		return nil, &fatalError{err}
	}
	return &textFile{bufio.NewWriter(f), f}, nil
}

// Close writes what is buffered and closes the file.
func (f *textFile) Close() error {
	err := f.Flush()
	if f.closer != nil {
		err = errors.Join(err, f.closer.Close())
	}
	return err
}

// lists are the text files that list the images of the parts of a split.
type lists struct {
	out    *target
	folder string // ends with a slash, or is empty
	files  map[string]*textFile
}

func newLists(out *target, folder string) lists { return lists{out, folder, map[string]*textFile{}} }

// add adds a line to the list of a part.
func (l lists) add(part, line string) error {
	list, err := l.open(part)
	if err != nil {
		return err
	}
	_, err = list.WriteString(line + "\n")
	return err
}

// open returns the list of a part, and creates it.
func (l lists) open(part string) (list *textFile, err error) {
	if l.files[part] == nil {
		l.files[part], err = l.out.text(l.folder + part + ".txt")
	}
	return l.files[part], err
}

// close closes all lists. The given ones exist then, also if they are empty.
func (l lists) close(parts ...string) error {
	for _, part := range parts {
		if _, err := l.open(part); err != nil {
			return err
		}
	}
	for _, list := range l.files {
		if err := list.Close(); err != nil {
			return err
		}
	}
	return nil
}

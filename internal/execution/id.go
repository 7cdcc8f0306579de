package execution

import "strings"

// ID returns the execution id of an uploaded object. It depends only on the key, and
// different keys have different ids:
//
//   - The id of a plain JPEG, "<name>.jpg" with no other dot in the name, is the
//     key without ".jpg": in/cat.jpg has in/cat.
//   - A name without a dot, or with a dot at its end, gets another dot: in/cat has
//     in/cat. and in/cat. has in/cat..
//   - Every other key is its own id: in/cat.png, in/cat.jpeg, in/cat.JPG,
//     in/a.b.jpg, in/.jpg.
//
// Outputs have the key "<id>_<suffix>.<ext>". Neither suffixes nor extensions contain
// an underscore or a slash, so outputs of two uploads never have the same key.
func ID(key string) string {
	name := baseName(key)
	stem, isJPEG := strings.CutSuffix(name, ".jpg")
	switch {
	case isJPEG && stem != "" && !strings.Contains(stem, "."):
		return strings.TrimSuffix(key, ".jpg")
	case name != "" && (!strings.Contains(name, ".") || strings.HasSuffix(name, ".")):
		return key + "."
	}
	return key
}

// Key returns the key of the upload with an execution id. It is the inverse of ID.
func Key(id string) string {
	name := baseName(id)
	switch {
	case name != "" && !strings.Contains(name, "."):
		return id + ".jpg"
	case strings.HasSuffix(name, "."):
		return strings.TrimSuffix(id, ".")
	}
	return id
}

// baseName returns the part of a key after the last slash. It may be empty.
func baseName(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

package execution

import "strings"

// ID returns the execution id of an uploaded object. It follows from the key
// alone, and no two keys have the same one:
//
//   - The id of a plain JPEG, "<name>.jpg" with no other dot in the name, is the
//     key without ".jpg": in/cat.jpg has in/cat.
//   - A name without a dot, or with one at its end, gets a dot more: in/cat has
//     in/cat. and in/cat. has in/cat..
//   - Every other key is its own id: in/cat.png, in/cat.jpeg, in/cat.JPG,
//     in/a.b.jpg, in/.jpg.
//
// Outputs are named "<id>_<suffix>.<ext>", and neither suffixes nor extensions
// have an underscore or a slash, so outputs of two uploads never share a name.
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

// Key returns the key of the upload that has an execution id: the inverse of ID.
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

// baseName returns what follows the last slash of a key, which may be nothing.
func baseName(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

// Package uploads says how a file becomes an object of the bucket, and by which bytes it is an image.
package uploads

import (
	"crypto/rand"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// OwnName returns a part of a key for a file's name that no other file gets, even of the same name at the same time. Later names
// are greater.
func OwnName(name string) string {
	return strconv.FormatInt(time.Now().UnixMilli(), 36) + strings.ToLower(rand.Text()[:6]) + "-" + SafeName(name)
}

// maxNameBytes leaves room for the names of outputs in one part of a key.
const maxNameBytes = 80

// SafeName returns a part of a key for a file's name: letters, digits, dots, hyphens and underscores.
func SafeName(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r < 128 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)) {
			return r
		}
		return '-'
	}, path.Base(strings.ReplaceAll(name, `\`, "/")))
	if len(clean) > maxNameBytes {
		clean = clean[len(clean)-maxNameBytes:]
	}
	name = strings.TrimLeft(clean, ".-")
	if ending := path.Ext(clean); len(ending) > 1 && path.Ext(name) == "" { // nothing of the name is left before its ending
		return "image" + ending
	}
	return name
}

// maxEndingBytes bounds the ending of a name that names a media type.
const maxEndingBytes = 16

// ContentType returns the media type of a file that begins with start: by its bytes or, where Go does not know them, by the
// ending of its name, by which the bridge knows it, too.
func ContentType(name string, start []byte) string {
	if known := http.DetectContentType(start); strings.HasPrefix(known, "image/") {
		return known
	}
	ending := strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
	if full, ok := map[string]string{"jpg": "jpeg", "tif": "tiff", "heif": "heic"}[ending]; ok {
		ending = full
	}
	isPlain := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }
	if ending == "" || len(ending) > maxEndingBytes || strings.ContainsFunc(ending, func(r rune) bool { return !isPlain(r) }) {
		return "application/octet-stream"
	}
	return "image/" + ending
}

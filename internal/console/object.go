package console

import (
	"errors"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"

	"imageflow.dev/internal/objects"
)

// shownTypes are the media types that the pages show. Browsers run nothing in them.
var shownTypes = []string{
	"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/jxl", "image/tiff", "image/bmp", "image/heic",
	"application/json",
}

// objectPolicy lets no object run anything, should a browser show it as a page. It does not forbid styles, since browsers
// add some of their own to the page of an image.
const objectPolicy = "script-src 'none'; object-src 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"

// object answers with an image or a side-car of a permitted bucket, of the version in etag if there is one.
func (s *Console) object(w http.ResponseWriter, r *http.Request) {
	bucket, key := s.bucketOf(r), r.FormValue("key")
	if key == "" || !s.config.ReadFrom.Contains(bucket, key) {
		http.Error(w, "READ_FROM of the console does not permit this object", http.StatusForbidden)
		return
	}
	info, err := s.config.Store.Stat(r.Context(), bucket, key)
	switch etag := r.FormValue("etag"); {
	case errors.Is(err, objects.ErrUnavailable):
		http.Error(w, "the object store does not answer", http.StatusServiceUnavailable)
		return
	case err != nil: // or no store has such a name
		http.Error(w, "there is no such object", http.StatusNotFound)
		return
	case etag != "" && etag != info.ETag:
		http.Error(w, "the object has been replaced", http.StatusGone)
		return
	case etag != "":
		w.Header().Set("Cache-Control", "private, max-age=3600, immutable")
	}
	name := shownType(info)
	if name == "" {
		http.Error(w, "the object is neither an image nor a side-car", http.StatusUnsupportedMediaType)
		return
	}
	w.Header().Set("Content-Type", name)
	w.Header().Set("ETag", `"`+info.ETag+`"`)
	w.Header().Set("Content-Security-Policy", objectPolicy)
	content := s.config.Store.Open(r.Context(), info)
	defer content.Close()
	http.ServeContent(w, r, "", info.Modified, content)
	if content.Err != nil {
		panic(http.ErrAbortHandler) // so that the browser sees that the image is cut off
	}
}

// shownType returns the media type of an object, by its metadata or else its key, or "" if the pages do not show it.
func shownType(info objects.Info) string {
	for _, text := range []string{info.ContentType, mime.TypeByExtension(strings.ToLower(path.Ext(info.Key)))} {
		if name, _, err := mime.ParseMediaType(text); err == nil && slices.Contains(shownTypes, name) {
			return name
		}
	}
	return ""
}

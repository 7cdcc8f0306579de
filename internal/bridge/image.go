package bridge

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/uploads"
)

// emptyETag is the entity tag of an empty object, whose size a notification omits.
const emptyETag = "d41d8cd98f00b204e9800998ecf8427e"

// kind is the classification of an object by its name and content type.
type kind int

const (
	// unknownKind needs a look at the content.
	unknownKind kind = iota
	// imageKind is an object that its uploader declares as an image. If it is not an
	// image, the uploader learns that from a dead letter.
	imageKind
	// otherKind is a folder marker, an empty object, or an object whose content type and
	// name say that it is not an image.
	otherKind
)

// imageExtensions are the extensions of the formats that cameras, browsers and editors write.
var imageExtensions = []string{
	".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".avif", ".heic", ".heif",
	".tif", ".tiff", ".bmp", ".jxl", ".jp2",
}

// otherTypes are content types, or their prefixes, of objects that are not images.
var otherTypes = []string{
	"text/", "video/", "audio/", "font/", "message/", "multipart/", "application/json",
	"application/xml", "application/pdf", "application/zip", "application/gzip", "application/x-tar",
	"application/javascript", "application/x-directory",
}

func classify(info objects.Info) kind {
	extension := strings.ToLower(path.Ext(info.Key))
	contentType := strings.ToLower(info.ContentType)
	ofType := func(start string) bool { return strings.HasPrefix(contentType, start) }
	switch {
	case strings.HasSuffix(info.Key, "/"), info.Size == 0 && info.ETag == emptyETag:
		return otherKind
	case ofType("image/"), slices.Contains(imageExtensions, extension):
		return imageKind
	case extension != "" && slices.ContainsFunc(otherTypes, ofType):
		return otherKind
	}
	return unknownKind
}

// isImage reports whether an upload starts a chain. It reads the first bytes of the
// object only if its name and content type do not decide.
func (b *Bridge) isImage(ctx context.Context, info objects.Info) (bool, error) {
	if b.config.Strict {
		return true, nil
	}
	if k := classify(info); k != unknownKind {
		return k == imageKind, nil
	}
	start, err := b.config.Store.GetPrefix(ctx, info.Bucket, info.Key, info.ETag, uploads.StartBytes)
	switch {
	case isGone(err): // nothing to process
		return false, nil
	case errors.Is(err, objects.ErrUnavailable):
		return false, err
	case err != nil: // a step will report the error
		return true, nil
	}
	return uploads.StartsLikeImage(start), nil
}

// isCertainlyNoImage reports whether the listing of an object shows that it starts no chain.
func (b *Bridge) isCertainlyNoImage(entry objects.Entry) bool {
	return !b.config.Strict && classify(entry.Info) == otherKind
}

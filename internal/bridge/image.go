package bridge

import (
	"bytes"
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"imageflow.dev/internal/objects"
)

// emptyETag is of objects without content, whose size a notification leaves out.
const emptyETag = "d41d8cd98f00b204e9800998ecf8427e"

// likelihood is what an object's name and content type say of it.
type likelihood int

const (
	inDoubt likelihood = iota
	// anImage is meant to be one: if it is not, its uploader wants to know.
	anImage
	// noImage is a folder marker, empty, or of another type by type and name.
	noImage
)

// imageExtensions are of the formats that cameras, browsers and editors write.
var imageExtensions = []string{
	".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".avif", ".heic", ".heif",
	".tif", ".tiff", ".bmp", ".jxl", ".jp2",
}

// otherTypes are content types of things that are no images, by type or by its start.
var otherTypes = []string{
	"text/", "video/", "audio/", "font/", "message/", "multipart/", "application/json",
	"application/xml", "application/pdf", "application/zip", "application/gzip", "application/x-tar", "application/javascript", "application/x-directory",
}

func classify(info objects.Info) likelihood {
	extension := strings.ToLower(path.Ext(info.Key))
	contentType := strings.ToLower(info.ContentType)
	ofType := func(start string) bool { return strings.HasPrefix(contentType, start) }
	switch {
	case strings.HasSuffix(info.Key, "/"), info.Size == 0 && info.ETag == emptyETag:
		return noImage
	case ofType("image/"), slices.Contains(imageExtensions, extension):
		return anImage
	case extension != "" && slices.ContainsFunc(otherTypes, ofType):
		return noImage
	}
	return inDoubt
}

// isImage reports whether an upload is for the chains. It reads the first bytes
// only if the name and the content type leave a doubt.
func (b *Bridge) isImage(ctx context.Context, info objects.Info) (bool, error) {
	if b.config.Strict {
		return true, nil
	}
	kind := classify(info)
	if kind != inDoubt {
		return kind == anImage, nil
	}
	start, err := b.config.Store.GetPrefix(ctx, info.Bucket, info.Key, info.ETag, sniffBytes)
	switch {
	case gone(err): // nothing to process
		return false, nil
	case errors.Is(err, objects.ErrUnavailable):
		return false, err
	case err != nil: // a step will say why it cannot be read
		return true, nil
	}
	return startsLikeImage(start), nil
}

// certainlyNoImage reports whether a listing says that an object needs no chain.
func (b *Bridge) certainlyNoImage(entry objects.Entry) bool {
	return !b.config.Strict && classify(entry.Info) == noImage
}

// sniffBytes is how much of an object startsLikeImage looks at.
const sniffBytes = 64

// magics begin the formats; '?' is any byte.
var magics = []string{
	"\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "GIF87a", "GIF89a", "RIFF????WEBP", "II*\x00", "MM\x00*", "II+\x00", "MM\x00+",
	"BM????\x00\x00\x00\x00????", "\x00\x00\x00\x0cJXL \r\n\x87\n", "\xff\x0a", "\x00\x00\x00\x0cjP  \r\n\x87\n",
}

// imageBrands are those of ISO media files that hold still images.
var imageBrands = []string{"avif", "avis", "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"}

// startsLikeImage reports whether the first bytes of an object are of an image.
func startsLikeImage(start []byte) bool {
	if len(start) >= 12 && string(start[4:8]) == "ftyp" {
		return slices.Contains(imageBrands, string(start[8:12]))
	}
	start = bytes.TrimLeft(start, "\r\n")
	return slices.ContainsFunc(magics, func(magic string) bool {
		for i := range len(magic) {
			if i >= len(start) || (magic[i] != '?' && magic[i] != start[i]) {
				return false
			}
		}
		return true
	})
}

package execution

import (
	"encoding/hex"
	"strings"
)

// viewPrefix begins the variants of images that were made for signed URLs.
const viewPrefix = "get-"

// viewDigestBytes is the part of a digest in such a variant, which has at most 32 letters.
const viewDigestBytes = 12

// ViewVariant returns the variant of an image that is made for a signed URL. The digest, of at least 12 bytes, is of
// its parameters.
func ViewVariant(digest []byte) string {
	return viewPrefix + hex.EncodeToString(digest[:viewDigestBytes])
}

// isView reports whether an output was made for a signed URL. It is no step of an execution: whoever looks at an image
// does not start a chain.
func isView(metadata map[string]string) bool {
	return strings.HasPrefix(metadata[VariantMetadata], viewPrefix)
}

// afterViews returns a key after all outputs of a step for signed URLs, of which there may be thousands, if the key
// is that of one, `<id>_<suffix>-get-<digest>.<ext>`.
func afterViews(key string) (after string, ok bool) {
	name := key[strings.LastIndexByte(key, '_')+1:]
	at := strings.Index(name, "-"+viewPrefix)
	if at < 0 {
		return "", false
	}
	return key[:len(key)-len(name)+at+len(viewPrefix)] + ".", true // "." follows the "-" at the end of the prefix
}

package execution

import (
	"encoding/hex"
	"regexp"
)

// viewDigestBytes is the part of a digest in the variant of a view, which has at most 32 letters.
const viewDigestBytes = 12

var viewPattern = regexp.MustCompile(`^get-[0-9a-f]{24}$`)

// ViewVariant returns the variant of an image that was made for a signed URL. The digest, of at least 12 bytes, is of
// its parameters.
func ViewVariant(digest []byte) string { return "get-" + hex.EncodeToString(digest[:viewDigestBytes]) }

// isView reports whether an output was made for a signed URL. It is no step of an execution: whoever looks at an image
// does not start a chain.
func isView(metadata map[string]string) bool {
	return viewPattern.MatchString(metadata[VariantMetadata])
}

package execution

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/rules"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// viewDigestBytes is the part of a digest in such a variant, which has at most 32 letters.
const viewDigestBytes = 12

// ViewVariant returns the variant of the image that a resize makes for a signed URL. It has the digest of all parameters
// but the variant and the name of the input, so that nobody can put another image in its place.
func ViewVariant(req *imageflowv1.ResizeRequest) (string, error) {
	parameters := proto.CloneOf(req)
	parameters.Variant = ""
	if in := parameters.GetInputImage(); in != nil {
		in.Bucket, in.ObjectKey, in.Etag = "", "", ""
		if proto.Size(in) == 0 {
			parameters.InputImage = nil
		}
	}
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(parameters)
	digest := sha256.Sum256(text)
	return rules.ViewPrefix + hex.EncodeToString(digest[:viewDigestBytes]), err
}

// IsViewVariant reports whether a variant is one of images for signed URLs.
func IsViewVariant(variant string) bool { return strings.HasPrefix(variant, rules.ViewPrefix) }

// isView reports whether an output was made for a signed URL. It is no step of an execution: whoever looks at an image
// does not start a chain.
func isView(metadata map[string]string) bool {
	return IsViewVariant(metadata[VariantMetadata])
}

// afterViews returns a key after all outputs of a step for signed URLs, of which there may be thousands, if the key
// is that of one, `<id>_<suffix>-get-<digest>.<ext>`.
func afterViews(key string) (after string, ok bool) {
	name := key[strings.LastIndexByte(key, '_')+1:]
	at := strings.Index(name, "-"+rules.ViewPrefix)
	if at < 0 {
		return "", false
	}
	return key[:len(key)-len(name)+at+len(rules.ViewPrefix)] + ".", true // "." follows the "-" at the end of the prefix
}

package uploads

import (
	"bytes"
	"slices"
)

// StartBytes is the length of the prefix that StartsLikeImage needs.
const StartBytes = 64

// magics are the first bytes of the image formats; '?' is any byte.
var magics = []string{
	"\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "GIF87a", "GIF89a", "RIFF????WEBP", "II*\x00", "MM\x00*", "II+\x00", "MM\x00+",
	"BM????\x00\x00\x00\x00????", "\x00\x00\x00\x0cJXL \r\n\x87\n", "\xff\x0a", "\x00\x00\x00\x0cjP  \r\n\x87\n",
}

// imageBrands are the brands of ISO media files that contain still images.
var imageBrands = []string{"avif", "avis", "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"}

// StartsLikeImage reports whether start begins like an image file. JPEG 2000 is an image, too, though no step reads it.
func StartsLikeImage(start []byte) bool {
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

package imaging

import (
	"slices"
	"strings"
)

// Raw images of cameras are TIFFs whose first directory often has only a preview.
const (
	tagMake       = 271
	tagSubIFDs    = 330
	tagDNGVersion = 50706

	photometricMosaic    = 32803 // TIFF/EP
	photometricLinearRaw = 34892 // DNG

	// maxDirectories is the maximum number of directories in which raw samples are looked for.
	maxDirectories = 16
)

// rawCompressions are the compressions of raw samples of Sony, Nikon, Samsung, Kodak and Pentax.
var rawCompressions = []int{32767, 34713, 32770, 65000, 65535}

// cameras are the beginnings of the makes of cameras, in capitals.
var cameras = []string{
	"Canon", "Nikon", "Sony", "Pentax", "Ricoh", "Samsung", "Olympus", "Panasonic", "Fujifilm", "Leica", "Kodak", "Epson",
	"Hasselblad", "Phase One", "Leaf", "Mamiya", "Sigma", "Minolta", "Apple", "Google",
}

// rawName returns the name of a raw image of a camera, or "" for other TIFFs. Raw samples are in
// the first directory, in one of its chain, or in one of those that they refer to.
func rawName(data []byte, form tiffForm) string {
	first := form.first(data)
	entries, _, err := form.directory(data, first)
	switch {
	case err != nil:
		return ""
	case hasTag(entries, tagDNGVersion):
		return "a DNG raw image"
	case form.field == 4 && len(data) > 10 && string(data[8:10]) == "CR" || refersToRaw(data, form, first):
		return "a raw image of a " + cameraOf(data, form, entries)
	}
	return ""
}

func hasTag(entries []directoryEntry, tag uint16) bool {
	return slices.ContainsFunc(entries, func(e directoryEntry) bool { return e.tag == tag })
}

// refersToRaw reports whether a directory, or one that follows from it, has raw samples.
func refersToRaw(data []byte, form tiffForm, first int64) bool {
	left := []int64{first}
	for n := 0; n < len(left) && n < maxDirectories; n++ {
		entries, next, err := form.directory(data, left[n])
		if err != nil {
			continue
		}
		if next != 0 {
			left = append(left, next)
		}
		fields := tiffFields{}
		for _, e := range entries {
			switch e.tag {
			case tagPhotometric, tagCompression, tagSubIFDs:
				if e.kind == tiffIFD {
					e.kind = tiffLong
				}
				if e.count <= maxDirectories {
					fields[e.tag], _ = e.numbers(data, form)
				}
			}
		}
		photometric := fields.number(tagPhotometric, 1)
		if photometric == photometricMosaic || photometric == photometricLinearRaw ||
			slices.Contains(rawCompressions, fields.number(tagCompression, compressionNone)) {
			return true
		}
		for _, at := range fields[tagSubIFDs] {
			left = append(left, int64(at))
		}
	}
	return false
}

// cameraOf returns the kind of a camera, from its make.
func cameraOf(data []byte, form tiffForm, entries []directoryEntry) string {
	for _, e := range entries {
		if e.tag != tagMake {
			continue
		}
		maker := strings.ToUpper(string(e.bytes(data, form)))
		for _, name := range cameras {
			if strings.Contains(maker, strings.ToUpper(name)) {
				return name + " camera"
			}
		}
	}
	return "camera"
}

package imaging

// #include "vips.h"
import "C"

import (
	"fmt"
	"strings"
	"sync"

	"github.com/h2non/bimg"
)

// Start initializes libvips for the whole process: one thread per image, no operation
// cache, and no loaders that libvips marks as untrusted. It fails if libvips lacks a format
// that every build must have. Only the first call does the work, and every call returns its
// result.
//
// Decoding and encoding start libvips themselves where Start was not called. A server
// calls Start to fail before its first request.
func Start() error { return startOnce() }

// The import of bimg has started libvips already, with a cache of 500 operations that would
// keep images, and without the check that the library matches its headers. imaging_start
// checks that and replaces all settings.
var startOnce = sync.OnceValue(func() error {
	if reason := C.imaging_start(); reason != nil {
		return fmt.Errorf("libvips does not start: %s", strings.TrimSpace(C.GoString(reason)))
	}
	var missing []string
	for _, format := range []bimg.ImageType{bimg.JPEG, bimg.PNG, bimg.WEBP, bimg.TIFF, bimg.GIF} {
		if s := bimg.IsImageTypeSupportedByVips(format); !s.Load || !s.Save && format != bimg.GIF {
			missing = append(missing, bimg.ImageTypeName(format))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("libvips %s was built without %s", bimg.VipsVersion, strings.Join(missing, ", "))
	}
	return nil
})

// VipsMemory is the memory of libvips in the whole process: buffers of pixels and files, without
// the memory of codecs, of Go and of this package's own loops.
type VipsMemory struct {
	// Bytes are in use now. HighWater is the maximum of Bytes since the start.
	Bytes, HighWater int64
	Allocations      int64
	OpenFiles        int64
}

// ReadVipsMemory returns the current memory of libvips.
func ReadVipsMemory() VipsMemory {
	m := bimg.VipsMemory()
	return VipsMemory{m.Memory, m.MemoryHighwater, m.Allocations, int64(C.imaging_open_files())}
}

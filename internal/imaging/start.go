package imaging

// #include "vips.h"
import "C"

import (
	"fmt"
	"strings"
	"sync"
)

// Start initializes libvips for the whole process: one thread per image, no operation
// cache, and no loaders that libvips marks as untrusted. Only the first call does the
// work, and every call returns its result.
//
// Decoding and encoding start libvips themselves where Start was not called. A server
// calls Start to fail before its first request.
func Start() error { return startOnce() }

var startOnce = sync.OnceValue(func() error {
	reason := C.imaging_start()
	if reason == nil {
		return nil
	}
	return fmt.Errorf("libvips does not start: %s", strings.TrimSpace(C.GoString(reason)))
})

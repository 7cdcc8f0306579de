package imaging

// #include "vips.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"unsafe"
)

// toSRGB converts pixels that a decoder other than libvips returned with an error, or nil, by the ICC
// profile of the image.
func (m *Image) toSRGB(ctx context.Context, p *Pixels, err error) (*Pixels, error) {
	if err != nil || m.icc == nil || m.appliedProfile() == 0 {
		return p, err
	}
	return p, p.applyProfile(ctx, m.icc)
}

// applyProfile converts pixels from an ICC profile to sRGB. It does not change them if the profile
// does not fit or is broken.
func (p *Pixels) applyProfile(ctx context.Context, icc []byte) error {
	if err := Start(); err != nil {
		return err
	}
	profile := unsafe.Pointer(unsafe.SliceData(icc))
	err := stoppable(ctx, func(C.Stop) C.int {
		return C.imaging_apply_profile(p.memory(), C.int(p.Width), C.int(p.Height), C.int(p.Channels), profile, C.size_t(len(icc)))
	})
	if errors.Is(err, errFailed) {
		return fmt.Errorf("libvips cannot convert the colours of %d×%d pixels", p.Width, p.Height)
	}
	return err
}

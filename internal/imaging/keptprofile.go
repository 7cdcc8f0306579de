package imaging

// #include "vips.h"
// #include <glib.h>
import "C"

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"unsafe"
)

// Profile selects the colours of outputs.
type Profile int

// The selections.
const (
	// SRGB converts colours to sRGB.
	SRGB Profile = iota
	// KeepProfile keeps the ICC profile of an image of RGB, and its values. Other images become
	// sRGB.
	KeepProfile
	// DisplayP3 converts colours to Display P3.
	DisplayP3
)

// storedProfile is an ICC profile as stored in a file: in parts, or as a chunk of a PNG.
type storedProfile struct {
	parts    [][]byte
	deflated []byte
}

// readSegment reads the payload of a JPEG segment APP2 after its prefix: the number of the part
// from 1, the number of parts, and the part (ICC.1:2010, B.4).
func (s *storedProfile) readSegment(payload []byte) {
	if len(payload) > 2 && int(payload[0]) == len(s.parts)+1 {
		s.parts = append(s.parts, payload[2:])
	}
}

// minProfile is the size of the header of an ICC profile.
const minProfile = 128

// icc returns the profile, or nil if it is incomplete or larger than maxMetadata.
func (s storedProfile) icc() []byte {
	icc := bytes.Join(s.parts, nil)
	if s.deflated != nil {
		inflated, err := zlib.NewReader(bytes.NewReader(s.deflated))
		if err != nil {
			return nil
		}
		icc, _ = io.ReadAll(io.LimitReader(inflated, maxMetadata+1)) // its size is checked
	}
	if len(icc) < minProfile || len(icc) > maxMetadata || int64(binary.BigEndian.Uint32(icc)) != int64(len(icc)) {
		return nil
	}
	return icc
}

// keptProfile returns the profile of RGB whose values the decoders return, or nil if they return
// sRGB.
func (h *Header) keptProfile() []byte {
	switch {
	case h.Encoding.Profile == SRGB:
		return nil
	case h.jxl != nil:
		return h.jxl.keptProfile(h)
	case h.profile != 3 || h.colours != 3:
		return nil
	}
	return h.metadata.profile.icc()
}

// outputProfile returns the profile of the outputs, or nil if their colours are sRGB.
func (h *Header) outputProfile() []byte {
	if h.Encoding.Profile == DisplayP3 {
		return displayP3()
	}
	return h.keptProfile()
}

// displayP3 returns the ICC profile of Display P3 that is built into libvips.
var displayP3 = sync.OnceValue(func() []byte {
	if Start() != nil {
		return nil
	}
	var size C.size_t
	data := C.imaging_p3(&size)
	defer C.g_free(C.gpointer(data))
	return C.GoBytes(data, C.int(size))
})

// toOutputProfile converts decoded pixels to the profile of the outputs.
func (m *Image) toOutputProfile(ctx context.Context, p *Pixels) error {
	if m.Encoding.Profile != DisplayP3 {
		return nil
	}
	if err := Start(); err != nil {
		return err
	}
	icc := m.keptProfile()
	err := stoppable(ctx, func(C.Stop) C.int {
		return C.imaging_to_p3(p.memory(), C.int(p.Width), C.int(p.Height), C.int(p.Channels),
			unsafe.Pointer(unsafe.SliceData(icc)), C.size_t(len(icc)))
	})
	if errors.Is(err, errFailed) {
		return fmt.Errorf("libvips cannot convert the colours of %d×%d pixels", p.Width, p.Height)
	}
	return err
}

// appliedProfile returns the number of channels of the profile that is applied to the colours;
// 0 means none.
func (h *Header) appliedProfile() int {
	if h.keptProfile() != nil {
		return 0
	}
	return h.profile
}

// inSRGB returns the image without options of its outputs.
func (m *Image) inSRGB() *Image {
	if m.Encoding.Profile == SRGB {
		return m
	}
	converted := &Image{Header: m.Header, Limits: m.Limits, data: m.data}
	converted.Encoding = Encoding{}
	return converted
}

const iccPrefix = "ICC_PROFILE\x00"

// appendProfile appends a profile to a JPEG.
func appendProfile(jpeg, icc []byte) []byte {
	const length = 0xffff - 2 - len(iccPrefix) - 2 // of a part
	count := byte(ceilDiv(len(icc), length))
	for i := range count {
		part := icc[int(i)*length : min(int(i+1)*length, len(icc))]
		jpeg = appendSegment(jpeg, app2, iccPrefix, append([]byte{i + 1, count}, part...))
	}
	return jpeg
}

// deflatedProfile returns the content of an iCCP chunk.
func deflatedProfile(icc []byte) []byte {
	var b bytes.Buffer
	b.WriteString("icc\x00\x00")
	z := zlib.NewWriter(&b)
	_, _ = z.Write(icc) // a bytes.Buffer returns no errors
	_ = z.Close()
	return b.Bytes()
}

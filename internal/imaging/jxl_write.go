package imaging

// #include <stdlib.h>
// #include "jxl.h"
import "C"

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// jxlEffort is the sum of a speed and the effort of libjxl, which is 4 by default and 7 for the
// smallest file.
const jxlEffort = 12

// distanceOf returns the distance of libjxl for a quality, as JxlEncoderDistanceFromQuality of libjxl 0.9,
// but 0.1 for quality 100.
func distanceOf(quality int) float64 {
	q := float64(quality)
	if q >= 30 {
		return 0.1 + (100-q)*0.09
	}
	return 53./3000*q*q - 23./20*q + 25
}

// encodeJXL encodes pixels like encode.
func (p *Pixels) encodeJXL(ctx context.Context, e Encoding) ([]byte, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	out := p.jxlOutput(e, &pin)
	var data *C.uint8_t
	var size C.size_t
	err := stoppable(ctx, func(stop C.Stop) C.int { return C.imaging_encode_jxl(out, stop, &data, &size) })
	if errors.Is(err, errFailed) {
		return nil, fmt.Errorf("libjxl cannot encode %d×%d pixels", p.Width, p.Height)
	}
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(data))
	return p.stamped(JXL, unsafe.Slice((*byte)(data), size)), nil
}

// jxlOutput returns the pixels and the options for C, and pins their memory.
func (p *Pixels) jxlOutput(e Encoding, pin *runtime.Pinner) *C.JxlOutput {
	pixels := p.memory()
	pin.Pin(pixels)
	out := &C.JxlOutput{
		pixels: pixels, width: C.int(p.Width), height: C.int(p.Height), channels: C.int(p.Channels),
		distance: C.float(distanceOf(e.Quality)), effort: C.int(jxlEffort - e.Speed),
	}
	if e.Lossless {
		out.lossless, out.distance = 1, 0
	}
	if icc := p.metadata.icc; len(icc) > 0 {
		profile := unsafe.SliceData(icc)
		pin.Pin(profile)
		out.profile, out.profile_size = (*C.uint8_t)(profile), C.size_t(len(icc))
	}
	pin.Pin(out)
	return out
}

// addToJXL returns a codestream in a container (ISO/IEC 18181-2) with the metadata.
func (m metadata) addToJXL(stream []byte) []byte {
	if m.exif == nil && m.xmp == nil {
		return stream
	}
	boxes := [][]byte{[]byte(jxlContainer), boxOf("ftyp", []byte("jxl \x00\x00\x00\x00jxl "))}
	if m.exif != nil {
		boxes = append(boxes, boxOf("Exif", be32(0), m.exif))
	}
	if m.xmp != nil {
		boxes = append(boxes, boxOf("xml ", m.xmp))
	}
	return bytes.Join(append(boxes, boxOf("jxlc", stream)), nil)
}

package imaging

// #include "deflate.h"
// #include <stdlib.h>
import "C"

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"unsafe"
)

// pngColours are the colour types by the number of channels (ISO/IEC 15948, 11.2.2).
var pngColours = [...]byte{1: 0, 3: 2, 4: 6}

// deflate encodes the pixels as a PNG with their density, compressed at a level of 1 to 9.
func (p *Pixels) deflate(ctx context.Context, level int) ([]byte, error) {
	var data unsafe.Pointer
	var size C.size_t
	err := stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_deflate(p.memory(), C.int(p.Width), C.int(p.Height), C.int(p.Channels),
			C.int(level), stop, &data, &size)
	})
	if errors.Is(err, errFailed) {
		return nil, fmt.Errorf("libdeflate cannot compress %d×%d pixels", p.Width, p.Height)
	}
	if err != nil {
		return nil, err
	}
	defer C.free(data)
	be := binary.BigEndian
	header := be.AppendUint32(be.AppendUint32(nil, uint32(p.Width)), uint32(p.Height))
	header = append(header, 8, pngColours[p.Channels], 0, 0, 0)
	const overhead = 128 // of the chunks
	out := append(make([]byte, 0, int(size)+overhead), "\x89PNG\r\n\x1a\n"...)
	out = appendChunk(out, "IHDR", header)
	if density := p.density.pHYs(); density != nil {
		out = appendChunk(out, "pHYs", density)
	}
	out = appendChunk(out, "IDAT", unsafe.Slice((*byte)(data), size))
	return p.metadata.addTo(PNG, append(out, pngEnd...)), nil
}

// deflatedAtOnce returns the maximum number of pixels that are deflated at once at a level. High
// levels take several times as long, and a call cannot be stopped.
func deflatedAtOnce(level int) int {
	if level > 6 {
		return maxAtOnce / 4
	}
	return maxAtOnce
}

// appendChunk appends a chunk to a PNG.
func appendChunk(png []byte, kind string, content []byte) []byte {
	be := binary.BigEndian
	begin := len(png) + 4
	png = append(be.AppendUint32(png, uint32(len(content))), kind...)
	png = append(png, content...)
	return be.AppendUint32(png, crc32.ChecksumIEEE(png[begin:]))
}

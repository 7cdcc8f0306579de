package imaging

// #cgo pkg-config: aom
// #include "av1encode.h"
// #include "stop.h"
// #include <stdlib.h>
import "C"

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"
)

// losslessAVIF encodes the pixels as an AVIF that keeps every value.
func (p *Pixels) losslessAVIF(ctx context.Context, speed int) ([]byte, error) {
	colours, err := p.losslessAV1(ctx, false, speed)
	if err != nil {
		return nil, err
	}
	var alpha *heifImage
	if p.Channels == 4 {
		if alpha, err = p.losslessAV1(ctx, true, speed); err != nil {
			return nil, err
		}
	}
	w := &heifWriter{index: map[string]int{}}
	srgb := nclx{cicp{primariesBT709, transferSRGB}, matrixIdentity, true}
	w.imageWithAlpha(colours, alpha, [][]byte{srgb.box()})
	return bytes.Join(slices.Insert(w.parts, 0, w.head(AVIF)), nil), nil
}

// losslessAV1 encodes the colours or the alpha channel.
func (p *Pixels) losslessAV1(ctx context.Context, isAlpha bool, speed int) (*heifImage, error) {
	var data unsafe.Pointer
	var size C.size_t
	err := stoppable(ctx, func(C.Stop) C.int {
		return C.imaging_encode_av1(p.memory(), C.int(p.Width), C.int(p.Height), C.int(p.Channels), flag(isAlpha), C.int(speed),
			&data, &size)
	})
	defer C.free(data)
	if err == nil {
		item := &heifItem{kind: "av01"}
		t := &heifTile{heifItem: item, width: p.Width, height: p.Height}
		t.data = [][]byte{withoutDelimiters(C.GoBytes(data, C.int(size)))}
		err = t.checkAV1(&heifFile{format: AVIF})
		return &heifImage{heifItem: item, width: p.Width, height: p.Height, tiles: []*heifTile{t}}, err
	}
	if errors.Is(err, errFailed) {
		err = fmt.Errorf("libaom cannot encode %d×%d pixels", p.Width, p.Height)
	}
	return nil, err
}

// withoutDelimiters returns AV1 without temporal delimiters, which items do not have (AV1 Image File
// Format, 2.1).
func withoutDelimiters(av1 []byte) []byte {
	const delimiter = 2
	var out []byte
	for rest := av1; len(rest) > 0; {
		kind, _, next, ok := nextOBU(rest)
		if !ok {
			break
		}
		if kind != delimiter {
			out = append(out, rest[:len(rest)-len(next)]...)
		}
		rest = next
	}
	return out
}

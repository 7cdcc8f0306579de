package imaging

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"slices"
)

// encodeIndexed encodes the pixels as a PNG with a palette, with their density and metadata. Samples
// have as few bits as the palette needs.
func (p *Pixels) encodeIndexed(ctx context.Context, level int) ([]byte, error) {
	q, err := p.palette(ctx, maxPalette, false, nil)
	if err != nil {
		return nil, err
	}
	defer q.close()
	depth := 8
	for depth > 1 && len(q.colours)/4 <= 1<<(depth/2) {
		depth /= 2
	}
	rows, err := p.deflateIndices(ctx, q, depth, level)
	if err != nil {
		return nil, err
	}
	be := binary.BigEndian
	header := be.AppendUint32(be.AppendUint32(nil, uint32(p.Width)), uint32(p.Height))
	out := appendChunk([]byte("\x89PNG\r\n\x1a\n"), "IHDR", append(header, byte(depth), 3, 0, 0, 0))
	if density := p.density.pHYs(); density != nil {
		out = appendChunk(out, "pHYs", density)
	}
	var values, alphas []byte
	for c := range slices.Chunk(q.colours, 4) {
		values = append(values, c[:3]...)
		if c[3] < 255 {
			alphas = append(alphas, c[3])
		}
	}
	out = appendChunk(out, "PLTE", values)
	if alphas != nil {
		out = appendChunk(out, "tRNS", alphas)
	}
	return p.metadata.addTo(PNG, append(appendChunk(out, "IDAT", rows), pngEnd...)), nil
}

// deflateIndices compresses the rows of indices, depth bits each, without a filter: indices of
// neighbours are no closer than others.
func (p *Pixels) deflateIndices(ctx context.Context, q *palette, depth, level int) ([]byte, error) {
	var out bytes.Buffer
	z, err := zlib.NewWriterLevel(&out, level)
	if err != nil {
		return nil, err
	}
	indices, row := make([]byte, p.Width), make([]byte, 1+ceilDiv(p.Width*depth, 8))
	for y := range p.Height {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		clear(row)
		q.row(y, indices)
		for x, index := range indices {
			row[1+x*depth/8] |= index << (8 - depth - x*depth%8)
		}
		if _, err := z.Write(row); err != nil {
			return nil, err
		}
	}
	err = z.Close()
	return out.Bytes(), err
}

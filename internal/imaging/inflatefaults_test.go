package imaging_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"math/rand/v2"
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestPixels_acceptsWhatLibpngAccepts decodes PNGs with faulty image data twice: as they are, and
// with a chunk that only libpng reads. Both must be accepted or both rejected, with the same
// pixels and the same error.
func TestPixels_acceptsWhatLibpngAccepts(t *testing.T) {
	const width, height = 100, 90
	accepted := 0
	for name, stream := range faultyStreams(rawRows(width, height)) {
		got, err := decoded(pngOf(width, height, 0, nil, stream))
		// No pixel has a sample of more than 8 bits, so none is transparent.
		want, wantErr := decoded(pngOf(width, height, 0, chunk("tRNS", []byte{1, 0, 1, 0, 1, 0}), stream))
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Errorf("%s: got %v, libpng %v", name, err, wantErr)
			continue
		}
		if err != nil {
			continue
		}
		accepted++
		for i := range width * height {
			if !bytes.Equal(got.Pix[3*i:3*i+3], want.Pix[4*i:4*i+3]) {
				t.Errorf("%s: pixel %d is %v, of libpng %v", name, i, got.Pix[3*i:3*i+3], want.Pix[4*i:4*i+3])
				break
			}
		}
	}
	if accepted == 0 {
		t.Error("no stream was accepted")
	}
}

func decoded(data []byte) (*imaging.Pixels, error) {
	m, err := imaging.Open(data, roomy)
	if err != nil {
		return nil, err
	}
	return m.Pixels(context.Background())
}

// rawRows returns rows of RGB with filter bytes. The last rows repeat the first, so that
// compression uses long distances.
func rawRows(width, height int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	var rows []byte
	for y := range height {
		row := []byte{byte(y % 5)}
		for range 3 * width {
			row = append(row, byte(random.IntN(24)))
		}
		if y > height-20 {
			row = rows[(y-height+20)*(3*width+1):][:3*width+1]
		}
		rows = append(rows, row...)
	}
	return rows
}

// faultyStreams returns zlib streams of the bytes, with and without faults.
func faultyStreams(raw []byte) map[string][]byte {
	body := deflate(raw)
	body = body[2 : len(body)-4]
	sum := binary.BigEndian.AppendUint32(nil, adler32.Checksum(raw))
	with := func(cmf, flags byte, rest ...[]byte) []byte {
		flags &^= 31
		flags += byte(31-(int(cmf)<<8+int(flags))%31) % 31
		return append([]byte{cmf, flags}, bytes.Join(rest, nil)...)
	}
	all := map[string][]byte{
		"surplus": with(0x78, 0, body, sum, []byte("more")), "no checksum": with(0x78, 0, body),
		"a wrong checksum": with(0x78, 0, body, []byte("sums")), "half a checksum": with(0x78, 0, body, sum[:2]),
		"a wrong header check": append([]byte{0x78, 0x02}, append(body, sum...)...), "no zlib header": append(body, sum...),
		"no data": {}, "two streams": with(0x78, 0, body, sum, with(0x78, 0, body, sum)),
		"a row less": deflate(raw[:len(raw)-301]), "a byte less": deflate(raw[:len(raw)-1]),
		"a byte more": deflate(append(bytes.Clone(raw), 0)), "a row more": deflate(append(bytes.Clone(raw), raw[:301]...)),
	}
	for cmf := range 256 {
		all[fmt.Sprintf("method and window %#x", cmf)] = with(byte(cmf), 0, body, sum)
	}
	all["a dictionary"] = with(0x78, 0x20, []byte{0, 0, 0, 1}, body, sum)
	random := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		n := random.IntN(len(body))
		all[fmt.Sprintf("cut to %d", n)] = with(0x78, 0, body[:n])
		flipped := bytes.Clone(body)
		bit := random.IntN(8 * min(len(body), 400)) // the Huffman codes are at the start
		flipped[bit/8] ^= 1 << (bit % 8)
		all[fmt.Sprintf("bit %d", bit)] = with(0x78, 0, flipped, checksumOf(flipped))
		changed := bytes.Clone(raw)
		at := random.IntN(90) * 301
		changed[at] = byte(random.IntN(256))
		all[fmt.Sprintf("filter %d at %d", changed[at], at)] = deflate(changed)
	}
	return all
}

// checksumOf returns the checksum of what a deflate stream contains up to its first fault.
func checksumOf(body []byte) []byte {
	raw, err := io.ReadAll(flate.NewReader(bytes.NewReader(body)))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return make([]byte, 4)
	}
	return binary.BigEndian.AppendUint32(nil, adler32.Checksum(raw))
}

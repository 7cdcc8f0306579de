package imaging

import (
	"encoding/binary"
	"errors"

	"github.com/h2non/bimg"
)

// Pixels is a decoded picture: Height×Width×Channels bytes in rows, sRGB,
// Channels 3, or 4 with straight alpha last.
type Pixels struct {
	Width, Height, Channels int
	Pix                     []byte
	// carrier is an uncompressed TIFF whose pixels Pix are: libvips gives and
	// takes such a file at the price of a copy, and what is changed in Pix is
	// changed in it.
	carrier []byte
}

// NewPixels returns a black picture, transparent where it has four channels.
func NewPixels(width, height, channels int) *Pixels {
	header := tiffHeader(width, height, channels)
	carrier := make([]byte, len(header)+width*height*channels)
	copy(carrier, header)
	return &Pixels{Width: width, Height: height, Channels: channels, Pix: carrier[len(header):], carrier: carrier}
}

// Encode writes the picture. Where the format has no transparency, it is laid
// on white.
func (p *Pixels) Encode(f Format) (Encoded, error) {
	if p.Channels == 4 && !f.alpha() {
		p = p.flatten()
	}
	if !f.strips() {
		// A carrier from libvips has the metadata of the picture it was made from.
		bare := NewPixels(p.Width, p.Height, p.Channels)
		copy(bare.Pix, p.Pix)
		p = bare
	}
	if f == TIFF {
		return Encoded{p.carrier, f, p.Width, p.Height}, nil
	}
	data, err := reprocess(p.carrier, options(f))
	return Encoded{data, f, p.Width, p.Height}, err
}

// flatten lays the picture on white.
func (p *Pixels) flatten() *Pixels {
	flat := NewPixels(p.Width, p.Height, 3)
	for i, o := 0, 0; i < len(p.Pix); i, o = i+4, o+3 {
		a := uint32(p.Pix[i+3])
		for c := range 3 {
			flat.Pix[o+c] = byte((uint32(p.Pix[i+c])*a + 255*(255-a) + 127) / 255)
		}
	}
	return flat
}

// Opaque tells whether no pixel is transparent.
func (p *Pixels) Opaque() bool {
	for i := 3; p.Channels == 4 && i < len(p.Pix); i += 4 {
		if p.Pix[i] != 255 {
			return false
		}
	}
	return true
}

// resized returns the picture at another size: what shrinks a little on both
// sides is filtered with Lanczos3 by libvips, which is faster, anything else with
// k. A picture with alpha must be premultiplied.
func (p *Pixels) resized(width, height int, k kernel) (*Pixels, error) {
	if width >= p.Width || height >= p.Height || p.Width > maxReduction*width || p.Height > maxReduction*height {
		return p.resample(width, height, k), nil
	}
	o := options(TIFF)
	o.Width, o.Height, o.Force, o.Interpolator = width, height, true, bimg.Nohalo
	data, err := reprocess(p.carrier, o)
	if err != nil {
		return nil, err
	}
	return readCarrier(data)
}

// maxReduction is the largest factor that bimg's Nohalo leaves to libvips'
// reduction by Lanczos3; beyond it there would be a box first.
const maxReduction = 3

var errCarrier = errors.New("libvips gave an unexpected TIFF")

// readCarrier finds the pixels in an uncompressed TIFF of eight bits a channel.
func readCarrier(data []byte) (*Pixels, error) {
	entries, order, err := firstDirectory(data)
	if err != nil {
		return nil, errCarrier
	}
	p := &Pixels{carrier: data, Channels: 1}
	var offsets, counts []uint32
	for _, e := range entries {
		var values []uint32
		switch e.tag {
		case tagWidth, tagHeight, tagSamplesPerPixel, tagStripOffsets, tagStripByteCounts:
			if values, err = e.numbers(data, order); err != nil || len(values) == 0 {
				return nil, errCarrier
			}
		}
		switch e.tag {
		case tagWidth:
			p.Width = int(values[0])
		case tagHeight:
			p.Height = int(values[0])
		case tagSamplesPerPixel:
			p.Channels = int(values[0])
		case tagStripOffsets:
			offsets = values
		case tagStripByteCounts:
			counts = values
		}
	}
	return p, p.locate(offsets, counts)
}

// locate finds the strips, which libvips writes one behind the other.
func (p *Pixels) locate(offsets, counts []uint32) error {
	if len(offsets) == 0 || len(offsets) != len(counts) || p.Channels != 3 && p.Channels != 4 {
		return errCarrier
	}
	end := offsets[0]
	for i, at := range offsets {
		if at != end {
			return errCarrier
		}
		end += counts[i]
	}
	if int64(end) > int64(len(p.carrier)) || int64(end-offsets[0]) != int64(p.Width)*int64(p.Height)*int64(p.Channels) {
		return errCarrier
	}
	p.Pix = p.carrier[offsets[0]:end]
	return nil
}

// tiffHeader returns what stands before the pixels of an uncompressed TIFF 6.0
// of one strip.
func tiffHeader(width, height, channels int) []byte {
	type entry struct {
		tag, kind    uint16
		count, value uint32
	}
	entries := []entry{
		{tagWidth, tiffLong, 1, uint32(width)},
		{tagHeight, tiffLong, 1, uint32(height)},
		{tagBits, tiffShort, uint32(channels), 0}, // bits per sample, behind the directory
		{259, tiffShort, 1, 1},                    // no compression
		{tagPhotometric, tiffShort, 1, 2},         // RGB
		{tagStripOffsets, tiffLong, 1, 0},
		{tagSamplesPerPixel, tiffShort, 1, uint32(channels)},
		{278, tiffLong, 1, uint32(height)}, // rows per strip
		{tagStripByteCounts, tiffLong, 1, uint32(width * height * channels)},
		{284, tiffShort, 1, 1}, // channels interleaved
	}
	if channels == 4 {
		entries = append(entries, entry{tagExtraSamples, tiffShort, 1, 2}) // straight alpha
	}
	bits := uint32(8 + 2 + 12*len(entries) + 4)
	entries[2].value, entries[5].value = bits, bits+uint32(2*channels)
	le := binary.LittleEndian
	b := append([]byte("II*\x00"), 8, 0, 0, 0)
	b = le.AppendUint16(b, uint16(len(entries)))
	for _, e := range entries {
		b = le.AppendUint32(le.AppendUint32(le.AppendUint16(le.AppendUint16(b, e.tag), e.kind), e.count), e.value)
	}
	b = le.AppendUint32(b, 0)
	for range channels {
		b = le.AppendUint16(b, 8)
	}
	return b
}

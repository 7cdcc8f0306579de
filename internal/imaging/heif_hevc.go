package imaging

import (
	"bytes"
	"encoding/binary"
)

// hevcSequence are the fields of a sequence parameter set (ITU-T H.265, 7.3.2.2).
type hevcSequence struct {
	// width and height are the coded size in pixels, shownWidth and shownHeight the size
	// after the conformance window.
	width, height, shownWidth, shownHeight uint64
	chroma, depth, chromaDepth             uint64
}

// maxCodingBlock is the maximum side of a coding block, to which an encoder may round up the
// coded size.
const maxCodingBlock = 64

// The types of NAL units: those below nalVideo are slices, and others that are in no file are
// rejected in a configuration.
const (
	nalVideo    = 32
	nalSequence = 33
	nalPicture  = 34
	nalPrefix   = 39
	nalSuffix   = 40
)

// checkHEVC checks the data of an item of HEVC. It has one frame, of the size of the item, in
// this data and in the box hvcC (ISO/IEC 14496-15, 8.3.2).
func (t *heifTile) checkHEVC(f *heifFile) error {
	config := t.property("hvcC")
	if len(config) < 23 {
		return f.corrupt("an image has no configuration")
	}
	if config[21]&3 != 3 {
		return invalid("%s with lengths of %d bytes: supported are 4", f.format, config[21]&3+1)
	}
	units, ok := configUnits(config)
	if !ok {
		return f.corrupt("its configuration is damaged")
	}
	frames := 0
	for data := joined(t.data); len(data) > 0; {
		if len(data) < 4 || uint64(binary.BigEndian.Uint32(data)) > uint64(len(data)-4) {
			return truncated(f.format)
		}
		size := binary.BigEndian.Uint32(data)
		unit := data[4 : 4+size]
		data = data[4+size:]
		switch {
		case len(unit) < 3:
			return f.corrupt("a part of its data is too short")
		case unit[0]>>1 == nalSequence:
			units = append(units, unit)
		case unit[0]>>1 < nalVideo && unit[2]&0x80 != 0: // the first slice of a frame
			frames++
		}
	}
	if frames != 1 {
		return invalid("%s with %d frames in an image", f.format, frames)
	}
	return t.checkSequences(f, config, units)
}

// configUnits returns the NAL units in a box hvcC, if they are parameters and comments.
func configUnits(config []byte) ([][]byte, bool) {
	b := &bitReader{data: config[22:]}
	var units [][]byte
	for arrays := b.read(8); arrays > 0; arrays-- {
		b.read(8)
		for n := b.read(16); n > 0 && !b.short; n-- {
			size := int(b.read(16))
			unit := b.rest()
			if b.short || size < 3 || size > len(unit) || len(units) == maxProperties {
				return nil, false
			}
			if kind := unit[0] >> 1; kind < nalVideo || kind > nalPicture && kind != nalPrefix && kind != nalSuffix {
				return nil, false
			}
			units = append(units, unit[:size])
			b.at += 8 * size
		}
	}
	return units, !b.short
}

// checkSequences compares the sequence parameter sets in units with the item.
func (t *heifTile) checkSequences(f *heifFile, config []byte, units [][]byte) error {
	found := false
	for _, unit := range units {
		if unit[0]>>1 != nalSequence {
			continue
		}
		s, ok := readSequence(unit)
		if !ok {
			return f.corrupt("its sequence parameters are damaged")
		}
		found = true
		if w, h := uint64(t.width), uint64(t.height); s.shownWidth != w || s.shownHeight != h ||
			s.width >= w+maxCodingBlock || s.height >= h+maxCodingBlock {
			return f.corrupt("its frame does not have the size of the image")
		}
		if s.chroma != uint64(config[16]&3) || s.depth != uint64(config[17]&7)+8 || s.chromaDepth != uint64(config[18]&7)+8 {
			return f.corrupt("its configuration does not fit its frame")
		}
		t.depth, t.chroma = int(s.depth), int(s.chroma)
	}
	if !found {
		return f.corrupt("it has no sequence parameters")
	}
	t.config = boxOf("hvcC", config)
	return nil
}

func readSequence(unit []byte) (hevcSequence, bool) {
	var s hevcSequence
	// Bytes after two zeros are escaped.
	b := &bitReader{data: bytes.ReplaceAll(unit[2:], []byte{0, 0, 3}, []byte{0, 0})}
	b.read(4)
	layers := int(b.read(3))
	b.read(1)
	skipProfiles(b, layers)
	b.golomb()
	if s.chroma = b.golomb(); s.chroma == 3 {
		b.read(1)
	}
	s.width, s.height = b.golomb(), b.golomb()
	s.shownWidth, s.shownHeight = s.width, s.height
	if b.flag() {
		across, down := uint64(1), uint64(1)
		if s.chroma == 1 || s.chroma == 2 {
			across = 2
		}
		if s.chroma == 1 {
			down = 2
		}
		s.shownWidth -= across * (b.golomb() + b.golomb())
		s.shownHeight -= down * (b.golomb() + b.golomb())
	}
	s.depth, s.chromaDepth = 8+b.golomb(), 8+b.golomb()
	return s, !b.short && s.chroma <= 3
}

// skipProfiles skips the profiles and levels of a sequence (7.3.3).
func skipProfiles(b *bitReader, layers int) {
	for range 12 {
		b.read(8)
	}
	size := 0
	for range layers {
		if b.flag() {
			size += 88
		}
		if b.flag() {
			size += 8
		}
	}
	if layers > 0 {
		b.read(2 * (8 - layers))
	}
	for ; size > 0; size -= 8 {
		b.read(8)
	}
}

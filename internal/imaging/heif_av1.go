package imaging

// av1Sequence are the fields of a sequence header of AV1 (AV1 Bitstream & Decoding Process
// Specification, 5.5).
type av1Sequence struct {
	profile, level, width, height int
	// reduced: the frame has the size of the sequence. Otherwise its header says so.
	reduced bool
	// before is the number of bits before the frame's own size in its header.
	timeBits, idBits                 int
	anyScreenContent, screenContent  bool
	anyIntegerMotion                 bool
	high, twelve, grey               bool
	subsampledAcross, subsampledDown bool
	site                             uint64
	nclx                             nclx
}

// The kinds of open bitstream units.
const (
	obuSequence = 1
	obuFrame    = 6
	obuHeader   = 3 // of a frame whose tiles follow
)

// checkAV1 checks the data of an item of AV1. It has one sequence header and one frame of the
// size of the item.
func (t *heifTile) checkAV1(f *heifFile) error {
	var sequence *av1Sequence
	frames := 0
	for data := joined(t.data); len(data) > 0; {
		kind, unit, rest, ok := nextOBU(data)
		if !ok {
			return truncated(f.format)
		}
		data = rest
		switch {
		case kind == obuSequence && sequence != nil:
			return invalid("%s with two sequence headers", f.format)
		case kind == obuSequence:
			sequence = &av1Sequence{}
			b := &bitReader{data: unit}
			if sequence.read(b); b.short {
				return f.corrupt("its sequence header is cut")
			}
		case kind == obuFrame || kind == obuHeader:
			if frames++; frames > 1 {
				return invalid("%s with more than one frame or layer", f.format)
			}
			if sequence == nil || !sequence.fillsFrame(unit) {
				return f.corrupt("its frame does not have the size of the image")
			}
		}
	}
	if frames == 0 || sequence.width != t.width || sequence.height != t.height {
		return f.corrupt("its frame does not have the size of the image")
	}
	t.config, t.depth, t.chroma = sequence.config(), sequence.depth(), sequence.chroma()
	t.nclx = sequence.nclx
	return nil
}

// nextOBU returns the first open bitstream unit in data, and the data after it.
func nextOBU(data []byte) (kind int, unit, rest []byte, ok bool) {
	b := &bitReader{data: data}
	b.read(1)
	kind = int(b.read(4))
	extended, sized := b.flag(), b.flag()
	b.read(1)
	if extended {
		b.read(8)
	}
	rest = b.rest()
	size := uint64(len(rest))
	if sized { // in groups of 7 bits, the lowest first
		size = 0
		for shift, more := 0, true; more && shift < 56; shift += 7 {
			more = b.flag()
			size |= b.read(7) << shift
		}
		rest = b.rest()
	}
	if b.short || size > uint64(len(rest)) {
		return 0, nil, nil, false
	}
	return kind, rest[:size], rest[size:], true
}

func (s *av1Sequence) read(b *bitReader) {
	s.profile = int(b.read(3))
	b.read(1) // still picture
	if s.reduced = b.flag(); s.reduced {
		s.level = int(b.read(5))
	} else {
		s.readOperatingPoints(b)
	}
	across, down := int(b.read(4))+1, int(b.read(4))+1
	s.width, s.height = int(b.read(across))+1, int(b.read(down))+1
	if !s.reduced && b.flag() {
		delta := int(b.read(4)) + 2
		s.idBits = delta + int(b.read(3)) + 1
	}
	b.read(3) // superblocks of 128, filtered prediction
	s.anyScreenContent, s.anyIntegerMotion = true, true
	if !s.reduced {
		s.readTools(b)
	}
	b.read(3) // super-resolution, filters
	s.readColours(b)
}

// readOperatingPoints reads the fields of a sequence header about time and operating points.
func (s *av1Sequence) readOperatingPoints(b *bitReader) {
	delayBits, equal, model := 0, false, false
	if b.flag() {
		b.read(64)
		if equal = b.flag(); equal {
			b.golomb()
		}
		if model = b.flag(); model {
			delayBits = int(b.read(5)) + 1
			b.read(37)
			if n := int(b.read(5)) + 1; !equal {
				s.timeBits = n
			}
		}
	}
	delays := b.flag()
	for i, last := 0, int(b.read(5)); i <= last; i++ {
		b.read(12)
		level := int(b.read(5))
		if i == 0 {
			s.level = level
		}
		if level > 7 {
			b.read(1)
		}
		if model && b.flag() {
			b.read(delayBits)
			b.read(delayBits + 1)
		}
		if delays && b.flag() {
			b.read(4)
		}
	}
}

// readTools reads which tools of coding the frames use.
func (s *av1Sequence) readTools(b *bitReader) {
	b.read(4)
	order := b.flag()
	if order {
		b.read(2)
	}
	if s.anyScreenContent = b.flag(); !s.anyScreenContent {
		s.screenContent = b.flag()
	}
	if s.anyScreenContent || s.screenContent {
		if s.anyIntegerMotion = b.flag(); !s.anyIntegerMotion {
			b.read(1)
		}
	}
	if order {
		b.read(3)
	}
}

func (s *av1Sequence) readColours(b *bitReader) {
	s.high = b.flag()
	s.twelve = s.profile == 2 && s.high && b.flag()
	s.grey = s.profile != 1 && b.flag()
	s.nclx = unspecified
	if b.flag() {
		s.nclx.cicp = cicp{int(b.read(8)), int(b.read(8))}
		s.nclx.matrix = int(b.read(8))
	}
	srgb := s.nclx == nclx{cicp{primariesBT709, transferSRGB}, matrixIdentity, false}
	if s.nclx.full = !s.grey && srgb; s.nclx.full {
		return
	}
	s.nclx.full = b.flag()
	switch {
	case s.grey:
		s.subsampledAcross, s.subsampledDown = true, true
		return
	case s.profile == 0:
		s.subsampledAcross, s.subsampledDown = true, true
	case s.profile == 2 && s.twelve:
		s.subsampledAcross = b.flag()
		s.subsampledDown = s.subsampledAcross && b.flag()
	case s.profile == 2:
		s.subsampledAcross = true
	}
	if s.subsampledAcross && s.subsampledDown {
		s.site = b.read(2)
	}
}

// fillsFrame reports whether a frame is shown, can be decoded without other ones, and has the
// size of the sequence. unit begins with the header of the frame (5.9.2).
func (s *av1Sequence) fillsFrame(unit []byte) bool {
	if s.reduced {
		return true
	}
	b := &bitReader{data: unit}
	if b.read(4) != 1 { // not an existing frame, but a key frame that is shown
		return false
	}
	b.read(s.timeBits)
	b.read(1)
	screenContent := s.screenContent
	if s.anyScreenContent {
		screenContent = b.flag()
	}
	if screenContent && s.anyIntegerMotion {
		b.read(1)
	}
	b.read(s.idBits)
	return !b.flag() && !b.short
}

func (s *av1Sequence) depth() int {
	switch {
	case s.twelve:
		return 12
	case s.high:
		return 10
	}
	return 8
}

func (s *av1Sequence) chroma() int {
	switch {
	case s.grey:
		return 0
	case s.subsampledDown:
		return 1
	case s.subsampledAcross:
		return 2
	}
	return 3
}

// config returns the box av1C of the sequence (AV1 Codec ISO Media File Format Binding, 2.3).
func (s *av1Sequence) config() []byte {
	flags := byte(s.site)
	for i, set := range []bool{s.subsampledDown, s.subsampledAcross, s.grey, s.twelve, s.high} {
		if set {
			flags |= 4 << i
		}
	}
	return boxOf("av1C", []byte{0x81, byte(s.profile<<5 | s.level), flags, 0})
}

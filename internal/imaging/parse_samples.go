package imaging

import "slices"

// TIFF tags and values that describe the samples of a pixel.
const (
	tagCompression  = 259
	tagPlanar       = 284
	tagInkSet       = 332
	tagExtraSamples = 338
	tagSampleFormat = 339
	tagLuma         = 529
	tagSubsampling  = 530
	tagReference    = 532

	photometricRGB     = 2
	photometricPalette = 3
	photometricCMYK    = 5
	photometricYCbCr   = 6
	photometricLab     = 8

	formatUnsigned = 1
	formatSigned   = 2
	formatFloat    = 3
	formatUnknown  = 4

	compressionJPEG = 7
	inkSetCMYK      = 1
)

// tiffColours is the number of colour samples of each photometric interpretation that
// libvips supports.
var tiffColours = map[int]int{
	0: 1, 1: 1, photometricRGB: 3, photometricPalette: 1, 4: 1,
	photometricCMYK: 4, photometricYCbCr: 3, photometricLab: 3,
	32844: 1, 32845: 3, // LogL and LogLuv
}

// tiffSpaces are the colour spaces that do not follow from the number of samples.
var tiffSpaces = map[int]string{photometricPalette: spaceRGB, photometricLab: spaceLab}

// maxSamples is the maximum number of samples per pixel. Separations for print have about
// a dozen.
const maxSamples = 32

// maxTile is the maximum side of a tile in pixels.
const maxTile = 4096

// samples parses the layout of a pixel. It rejects layouts that libvips does not support,
// and those that need much more memory per pixel than the limits assume.
func (f tiffFields) samples(h *Header) error {
	colours, known := tiffColours[f.number(tagPhotometric, 1)]
	samples, bits := f.number(tagSamplesPerPixel, 1), f.maximum(tagBits, 1)
	switch {
	case !known:
		return invalid("tiff with photometric interpretation %d: supported are grey, RGB, palettes, CMYK, YCbCr and Lab",
			f.number(tagPhotometric, 1))
	case samples < colours:
		return invalid("corrupt tiff: %d samples per pixel for %d colours", samples, colours)
	case samples > maxSamples:
		return invalid("tiff with %d samples per pixel: the maximum is %d", samples, maxSamples)
	}
	// The decoder decodes whole tiles, even if the image is smaller.
	width, height := f.number(tagTileWidth, 0), f.number(tagTileHeight, 0)
	if width > maxTile || height > maxTile {
		return invalid("tiff with tiles of %d×%d pixels: the maximum side is %d", width, height, maxTile)
	}
	h.colours, h.extra = colours, samples-colours
	h.space = tiffSpaces[f.number(tagPhotometric, 1)]
	h.storesYCbCr = f.number(tagPhotometric, 1) == photometricYCbCr
	if f.number(tagPhotometric, 1) != photometricPalette {
		h.Bits = bits
	}
	h.alphaAt = f.alphaAt(samples, colours)
	h.Alpha = h.alphaAt > 0
	if h.layout = f.ownLayout(h, bits); h.layout != nil {
		h.held = h.layout.heldBytes(h.Width, h.Height)
		return h.layout.check(f, h)
	}
	if err := f.checkDepth(bits); err != nil {
		return err
	}
	h.held = samples * max(8, bits) / 8 // the whole image may be one strip
	if err := f.checkMisread(h, bits); err != nil {
		return err
	}
	return f.convertYCbCr(bits, h)
}

// checkDepth rejects depths and kinds of numbers that libvips does not support. Above 16 bits, it
// supports only some colours.
func (f tiffFields) checkDepth(bits int) error {
	format, photometric := f.maximum(tagSampleFormat, formatUnsigned), f.number(tagPhotometric, 1)
	isFloat := format == formatFloat
	switch {
	case format > formatFloat && format != formatUnknown:
		return invalid("tiff with complex samples: only integers and floats are supported")
	case !isFloat && !slices.Contains([]int{1, 2, 4, 8, 16, 32}, bits) || isFloat && bits != 32:
		return invalid("tiff with %d bits per sample: supported for grey and RGB only", bits)
	case format == formatSigned && photometric != photometricLab && photometric != photometricPalette:
		return f.checkSigned(bits)
	case bits < 32:
		return nil
	case photometric > photometricRGB && photometric != photometricCMYK:
		return invalid("tiff with %d bits per sample: supported for grey, RGB and CMYK only", bits)
	case slices.Contains(f[tagExtraSamples], 1):
		return invalid("tiff with %d bits per sample multiplied by alpha: alpha must be unassociated", bits)
	}
	return nil
}

// checkSigned rejects signed samples that libvips does not read as such.
func (f tiffFields) checkSigned(bits int) error {
	photometric := f.number(tagPhotometric, 1)
	switch {
	case bits < 8:
		return invalid("tiff with signed samples of %d bits: supported are 8, 16 and 32", bits)
	case photometric != 1 && photometric != photometricRGB:
		return invalid("tiff with signed samples: supported for RGB, and grey of which 0 is black, only")
	case slices.Contains(f[tagExtraSamples], 1):
		return invalid("tiff with signed samples multiplied by alpha: alpha must be unassociated")
	}
	return nil
}

// checkMisread rejects layouts that libvips decodes incorrectly. Its readers that repack
// rows confuse planes with rows. Its division by alpha assumes that alpha is the last of
// four channels, and that CMYK has 8 bits.
func (f tiffFields) checkMisread(h *Header, bits int) error {
	photometric := f.number(tagPhotometric, 1)
	copied := photometric == photometricRGB || photometric == photometricCMYK
	associated := slices.Contains(f[tagExtraSamples], 1)
	switch {
	case photometric == photometricCMYK && f.number(tagInkSet, inkSetCMYK) != inkSetCMYK:
		return invalid("tiff with inks other than CMYK")
	case f.number(tagPlanar, 1) != 1 && h.extra+h.colours > 1 && !copied:
		return invalid("tiff with planes of samples: supported for grey, RGB and CMYK only")
	case f.number(tagPlanar, 1) != 1 && h.extra+h.colours > 1 && f.number(tagTileWidth, 0) > 0:
		return invalid("tiff with planes of CMYK in tiles: supported in strips only")
	case associated && (photometric == photometricLab || photometric == photometricCMYK && bits > 8):
		return invalid("tiff with Lab or 16-bit CMYK multiplied by alpha: alpha must be unassociated")
	case associated && h.extra+h.colours == 4 && h.alphaAt != h.extra:
		return invalid("tiff with grey multiplied by alpha: alpha must be the last of 4 samples")
	}
	return nil
}

// alphaAt returns the number of the alpha sample among the samples after the colours,
// counted from 1. It is the first one marked as associated or unassociated alpha; 0 means
// no alpha.
func (f tiffFields) alphaAt(samples, colours int) int {
	kinds := f[tagExtraSamples]
	for i, kind := range kinds {
		if at := samples - len(kinds) + i - colours + 1; at > 0 && (kind == 1 || kind == 2) {
			return at
		}
	}
	return 0
}

// convertYCbCr sets the matrix for YCbCr that is not compressed as JPEG. libvips does not
// convert it.
func (f tiffFields) convertYCbCr(bits int, h *Header) error {
	if f.number(tagPhotometric, 1) != photometricYCbCr || f.number(tagCompression, 1) == compressionJPEG {
		return nil
	}
	if bits != 8 {
		return invalid("tiff with YCbCr of %d bits per sample: supported are 8", bits)
	}
	matrix, err := f.yccMatrix()
	h.fromYCbCr = matrix
	return err
}

// yccMatrix returns the matrix to RGB of toRGB.
func (f tiffFields) yccMatrix() (*[12]float64, error) {
	luma := f.fractions(tagLuma, 0.299, 0.587, 0.114)
	reference := f.fractions(tagReference, 0, 255, 128, 255, 128, 255)
	if luma[1] == 0 || reference[0] == reference[1] || reference[2] == reference[3] || reference[4] == reference[5] {
		return nil, invalid("corrupt tiff: its YCbCr coefficients are invalid")
	}
	return toRGB(luma, reference), nil
}

// toRGB returns the 3 × 4 matrix from (Y, Cb, Cr, 1) to RGB. luma are the coefficients of
// red, green and blue in Y. reference are the codes of black and white for each of Y, Cb and
// Cr (TIFF 6.0, section 21).
func toRGB(luma, reference []float64) *[12]float64 {
	rgb := func(y, cb, cr float64) [3]float64 {
		y = (y - reference[0]) * 255 / (reference[1] - reference[0])
		cb = (cb - reference[2]) * 127 / (reference[3] - reference[2])
		cr = (cr - reference[4]) * 127 / (reference[5] - reference[4])
		r, b := y+cr*(2-2*luma[0]), y+cb*(2-2*luma[2])
		return [3]float64{r, (y - luma[2]*b - luma[0]*r) / luma[1], b}
	}
	var m [12]float64
	zero := rgb(0, 0, 0)
	for i, column := range [][3]float64{rgb(1, 0, 0), rgb(0, 1, 0), rgb(0, 0, 1)} {
		for c := range 3 {
			m[4*c+i], m[4*c+3] = column[c]-zero[c], zero[c]
		}
	}
	return &m
}

// fractions returns the values of a tag of rationals, or the defaults if it does not have
// the same number of values.
func (f tiffFields) fractions(tag uint16, defaults ...float64) []float64 {
	v := f[tag]
	if len(v) != 2*len(defaults) {
		return defaults
	}
	values := make([]float64, len(defaults))
	for i := range values {
		if v[2*i+1] == 0 {
			return defaults
		}
		values[i] = float64(v[2*i]) / float64(v[2*i+1])
	}
	return values
}

// maximum returns the largest value of a tag, or defaultValue if it has none.
func (f tiffFields) maximum(tag uint16, defaultValue int) int {
	if v := f[tag]; len(v) > 0 {
		return int(slices.Max(v))
	}
	return defaultValue
}

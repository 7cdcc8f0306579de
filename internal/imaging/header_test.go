package imaging_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"maps"
	"reflect"
	"slices"
	"testing"

	"imageflow.dev/internal/imaging"
)

// fact is the expected content of a header. Width and height are after orientation.
type fact struct {
	format          imaging.Format
	width, height   int
	orientation     int
	alpha, animated bool
}

// smallTIFF returns a grey TIFF in RGB of 30×20 pixels with more entries.
func smallTIFF(order binary.AppendByteOrder, more ...entry) []byte {
	entries := append(rgbTIFF(30, 20), more...)
	slices.SortFunc(entries, func(a, b entry) int { return int(a.tag) - int(b.tag) })
	return withPixels(order, entries, bytes.Repeat([]byte{90}, 1800))
}

// sample is an image with its facts.
type sample struct {
	data []byte
	want fact
}

// heifSamples are variants of AVIF and HEIC with their facts.
func heifSamples(t testing.TB) map[string]sample {
	return map[string]sample{
		"avif":            {heifFile(t, "420.avif"), fact{imaging.AVIF, 64, 48, 1, false, false}},
		"avif turned":     {heifFile(t, "turned-1.avif"), fact{imaging.AVIF, 48, 64, 8, false, false}},
		"avif with alpha": {heifFile(t, "alpha.avif"), fact{imaging.AVIF, 64, 48, 1, true, false}},
		"avif of tiles":   {heifFile(t, "grid.avif"), fact{imaging.AVIF, 128, 96, 1, false, false}},
		"avif cropped":    {heifFile(t, "cropped.avif"), fact{imaging.AVIF, 40, 30, 1, false, false}},
		"heic":            {heifFile(t, "8.heic"), fact{imaging.HEIC, 64, 48, 1, false, false}},
		"heic with alpha": {heifFile(t, "alpha.heic"), fact{imaging.HEIC, 64, 48, 1, true, false}},
		"avif of frames":  {heifFile(t, "frames.avif"), fact{imaging.AVIF, 64, 48, 1, true, true}},
	}
}

func jxlSamples(t testing.TB) map[string]sample {
	return map[string]sample{
		"jxl":               {jxlFile(t, "lossy.jxl"), fact{imaging.JXL, 61, 47, 1, false, false}},
		"jxl lossless":      {jxlFile(t, "lossless.jxl"), fact{imaging.JXL, 61, 47, 1, false, false}},
		"jxl with alpha":    {jxlFile(t, "alpha.jxl"), fact{imaging.JXL, 64, 48, 1, true, false}},
		"jxl with profile":  {jxlFile(t, "p3-lossless.jxl"), fact{imaging.JXL, 61, 47, 1, false, false}},
		"jxl of frames":     {jxlFile(t, "frames.jxl"), fact{imaging.JXL, 2, 2, 1, true, true}},
		"jxl of a jpeg":     {jxlFile(t, "turned-6.jxl"), fact{imaging.JXL, 47, 61, 6, false, false}},
		"jxl in an order":   {jxlFile(t, "centre.jxl"), fact{imaging.JXL, 600, 280, 1, false, false}},
		"jxl in boxes":      {jxlFile(t, "boxes.jxl"), fact{imaging.JXL, 61, 47, 1, false, false}},
		"jxl of grey":       {jxlFile(t, "grey.jxl"), fact{imaging.JXL, 61, 47, 1, false, false}},
		"jxl of two frames": {jxlFile(t, "patches.jxl"), fact{imaging.JXL, 514, 15, 1, false, false}},
	}
}

// samples are images of all formats and variants with their facts.
func samples(t testing.TB) map[string]sample {
	opaque, clear := detailed(30, 20), noisy(30, 20)
	le, be := binary.LittleEndian, binary.BigEndian
	jpeg, png := asJPEG(t, opaque), asPNG(t, opaque)
	trailed := append(bytes.Clone(jpeg), make([]byte, 5000)...)
	twoFrames := gifOf(30, 20, [4]int{0, 0, 30, 20}, [4]int{1, 1, 9, 9})
	webp := simpleWebP(encoded(t, opaque, imaging.WebP))
	all := map[string]sample{
		"jpeg":                 {jpeg, fact{imaging.JPEG, 30, 20, 1, false, false}},
		"jpeg turned":          {withOrientation(jpeg, 6), fact{imaging.JPEG, 20, 30, 6, false, false}},
		"jpeg odd orientation": {withOrientation(jpeg, 9), fact{imaging.JPEG, 30, 20, 1, false, false}},
		"jpeg and a trailer":   {trailed, fact{imaging.JPEG, 30, 20, 1, false, false}},
		"png":                  {png, fact{imaging.PNG, 30, 20, 1, false, false}},
		"png with alpha":       {asPNG(t, clear), fact{imaging.PNG, 30, 20, 1, true, false}},
		"png palette":          {asPNG(t, paletted(30, 20, 255)), fact{imaging.PNG, 30, 20, 1, false, false}},
		"png clear palette":    {asPNG(t, paletted(30, 20, 0)), fact{imaging.PNG, 30, 20, 1, true, false}},
		"png turned":           {withChunk(png, "eXIf", exif(le, 8, "")), fact{imaging.PNG, 20, 30, 8, false, false}},
		"png animated":         {withChunk(png, "acTL", []byte{0, 0, 0, 2, 0, 0, 0, 0}), fact{imaging.PNG, 30, 20, 1, false, true}},
		"webp lossy":           {webp, fact{imaging.WebP, 30, 20, 1, false, false}},
		"webp with alpha":      {encoded(t, clear, imaging.WebP), fact{imaging.WebP, 30, 20, 1, true, false}},
		"webp lossless":        {riff("VP8L", vp8l(30, 20, false)), fact{imaging.WebP, 30, 20, 1, false, false}},
		"webp lossless alpha":  {riff("VP8L", vp8l(30, 20, true)), fact{imaging.WebP, 30, 20, 1, true, false}},
		"webp turned":          {extendedWebP(webp, 0x08, exif(le, 5, "")), fact{imaging.WebP, 20, 30, 5, false, false}},
		"webp animated":        {extendedWebP(webp, 0x02, nil), fact{imaging.WebP, 30, 20, 1, false, true}},
		"gif":                  {gifOf(30, 20, [4]int{0, 0, 30, 20}), fact{imaging.GIF, 30, 20, 1, true, false}},
		"gif animated":         {twoFrames, fact{imaging.GIF, 30, 20, 1, true, true}},
		"tiff little":          {smallTIFF(le), fact{imaging.TIFF, 30, 20, 1, false, false}},
		"tiff big":             {smallTIFF(be), fact{imaging.TIFF, 30, 20, 1, false, false}},
		"tiff turned":          {smallTIFF(be, entry{274, short, []uint32{7}}), fact{imaging.TIFF, 20, 30, 7, false, false}},
		"tiff with alpha":      {encoded(t, clear, imaging.TIFF), fact{imaging.TIFF, 30, 20, 1, true, false}},
		"tiff of two pages":    {secondPage(smallTIFF(le)), fact{imaging.TIFF, 30, 20, 1, false, true}},
		"tiff of 64 bits":      {asBigTIFF(binary.BigEndian, smallTIFF(be)), fact{imaging.TIFF, 30, 20, 1, false, false}},
		"bmp with alpha":       {alphaBMP(clear), fact{imaging.BMP, 30, 20, 1, true, false}},
		"bmp of codes":         {codedBMP(30, 20), fact{imaging.BMP, 30, 20, 1, false, false}},
	}
	maps.Copy(all, heifSamples(t))
	maps.Copy(all, jxlSamples(t))
	return all
}

func TestParseHeader_ofAllVariants(t *testing.T) {
	for name, sample := range samples(t) {
		h, err := imaging.ParseHeader(sample.data, roomy)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		width, height := h.Size()
		if got := (fact{h.Format, width, height, h.Orientation, h.Alpha, h.Animated}); got != sample.want {
			t.Errorf("%s: got %+v, want %+v", name, got, sample.want)
		}
	}
}

// TestFootprint_includesBuffersOfTheCodecs compares variants that need different amounts of
// memory.
func TestFootprint_includesBuffersOfTheCodecs(t *testing.T) {
	jpeg := asJPEG(t, detailed(30, 20))
	progressive := bytes.Replace(jpeg, []byte{0xff, 0xc0}, []byte{0xff, 0xc2}, 1)
	png := asPNG(t, detailed(30, 20))
	interlaced := bytes.Clone(png)
	interlaced[28] = 1
	binary.BigEndian.PutUint32(interlaced[29:], crc32.ChecksumIEEE(interlaced[12:29]))
	clear := asPNG(t, noisy(30, 20))
	header := func(data []byte) imaging.Header {
		h, err := imaging.ParseHeader(data, roomy)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	footprint := func(data []byte, f imaging.Format) int64 { return header(data).Footprint(f) }
	small := func(data []byte, f imaging.Format) int64 { return header(data).ResizeFootprint(3, 2, f) }
	// 600 pixels of three channels, and at least the same to encode them.
	if got := footprint(jpeg, imaging.JPEG); got < 6*600 || got > 12*600 {
		t.Errorf("a plain JPEG takes %d bytes", got)
	}
	for name, pair := range map[string]struct{ larger, smaller int64 }{
		"progressive":         {small(progressive, imaging.JPEG), small(jpeg, imaging.JPEG)},
		"inflated at once":    {small(png, imaging.PNG), small(jpeg, imaging.PNG)},
		"interlaced":          {small(interlaced, imaging.PNG), small(jpeg, imaging.PNG)},
		"full size":           {footprint(jpeg, imaging.JPEG), header(jpeg).ResizeFootprint(15, 10, imaging.JPEG)},
		"no conversion":       {footprint(jpeg, imaging.JPEG), header(jpeg).ConvertFootprint(imaging.JPEG)},
		"with alpha":          {footprint(clear, imaging.PNG), footprint(png, imaging.PNG)},
		"turned":              {footprint(withOrientation(jpeg, 3), imaging.JPEG), footprint(jpeg, imaging.JPEG)},
		"transparent to JPEG": {footprint(clear, imaging.JPEG), footprint(png, imaging.JPEG) + 600},
		"AVIF":                {footprint(jpeg, imaging.AVIF), footprint(jpeg, imaging.WebP)},
	} {
		if pair.larger <= pair.smaller {
			t.Errorf("%s: %d bytes, want more than %d", name, pair.larger, pair.smaller)
		}
	}
}

// TestTruncatedFiles_areRejectedOrComplete truncates each image at many places. Zeros after
// an image do not belong to it.
func TestTruncatedFiles_areRejectedOrComplete(t *testing.T) {
	for name, sample := range samples(t) {
		whole := bytes.TrimRight(sample.data, "\x00")
		for n := 0; n < len(whole); n += 1 + len(whole)/400 {
			m, err := imaging.Open(whole[:n], roomy)
			if err == nil {
				var cut *imaging.Pixels
				if cut, err = m.Pixels(t.Context()); err == nil && reflect.DeepEqual(cut, pixels(t, whole)) {
					continue
				}
			}
			if !isInputError(err) {
				t.Errorf("%s cut to %d of %d bytes: %v", name, n, len(whole), err)
			}
		}
	}
}

func isInputError(err error) bool {
	var input *imaging.InputError
	return errors.As(err, &input)
}

func paletted(width, height int, alpha uint8) *image.Paletted {
	return image.NewPaletted(image.Rect(0, 0, width, height),
		color.Palette{color.NRGBA{200, 10, 10, alpha}, color.NRGBA{0, 0, 255, 255}})
}

// withChunk inserts a chunk after the header chunk of a PNG.
func withChunk(data []byte, kind string, payload []byte) []byte {
	const header = 8 + 8 + 13 + 4
	out := binary.BigEndian.AppendUint32(bytes.Clone(data[:header]), uint32(len(payload)))
	body := append([]byte(kind), payload...)
	out = binary.BigEndian.AppendUint32(append(out, body...), crc32.ChecksumIEEE(body))
	return append(out, data[header:]...)
}

func riff(kind string, payload []byte, more ...byte) []byte {
	body := binary.LittleEndian.AppendUint32([]byte("WEBP"+kind), uint32(len(payload)))
	body = append(append(body, payload...), more...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// simpleWebP extracts the image from an extended file, which libvips writes.
func simpleWebP(extended []byte) []byte {
	chunk := extended[bytes.Index(extended, []byte("VP8 ")):]
	return riff("VP8 ", chunk[8:8+binary.LittleEndian.Uint32(chunk[4:])])
}

// vp8l returns the header of a lossless image.
func vp8l(width, height int, alpha bool) []byte {
	bits := uint32(width-1) | uint32(height-1)<<14
	if alpha {
		bits |= 1 << 28
	}
	return append(binary.LittleEndian.AppendUint32([]byte{0x2f}, bits), 0)
}

// extendedWebP wraps a 30×20 image in an extended container.
func extendedWebP(simple []byte, flags byte, exif []byte) []byte {
	more := bytes.Clone(simple[12:])
	if exif != nil {
		more = append(binary.LittleEndian.AppendUint32(append(more, "EXIF"...), uint32(len(exif))), exif...)
	}
	return riff("VP8X", []byte{flags, 0, 0, 0, 29, 0, 0, 19, 0, 0}, more...)
}

// secondPage makes the first directory point to itself as the next one.
func secondPage(tiff []byte) []byte {
	entries := int(binary.LittleEndian.Uint16(tiff[8:]))
	binary.LittleEndian.PutUint32(tiff[10+12*entries:], 8)
	return tiff
}

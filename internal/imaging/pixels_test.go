package imaging_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/gif"
	"image/png"
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestLosslessFormats_keepAllBits encodes pixels as PNG and TIFF and decodes them.
func TestLosslessFormats_keepAllBits(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {1, 300}, {300, 1}, {67, 45}, {300, 200}} {
		opaque, clear := detailed(size[0], size[1]), noisy(size[0], size[1])
		checkExact(t, pixels(t, asPNG(t, opaque)), opaque)
		checkExact(t, pixels(t, asPNG(t, clear)), clear)
		for _, f := range []imaging.Format{imaging.PNG, imaging.TIFF} {
			e, err := pixels(t, asPNG(t, clear)).Encode(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			checkExact(t, pixels(t, e.Data), clear)
		}
	}
}

func checkExact(t *testing.T, p *imaging.Pixels, want *image.NRGBA) {
	t.Helper()
	if p.Width != want.Rect.Dx() || p.Height != want.Rect.Dy() || len(p.Pix) != p.Width*p.Height*p.Channels {
		t.Fatalf("got %d×%d×%d in %d bytes, want %v", p.Width, p.Height, p.Channels, len(p.Pix), want.Rect)
	}
	for i := range p.Width * p.Height {
		if got := p.Pix[p.Channels*i:][:p.Channels]; !bytes.Equal(got, want.Pix[4*i:][:p.Channels]) {
			t.Fatalf("pixel %d is %v, want %v", i, got, want.Pix[4*i:4*i+4])
		}
	}
}

// TestResize_betweenAllFormats checks the colours for all input and output formats.
func TestResize_betweenAllFormats(t *testing.T) {
	const width, height = 96, 72
	m := stored(width, height, 1)
	var b bytes.Buffer
	if err := gif.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	inputs := map[imaging.Format][]byte{imaging.JPEG: asJPEG(t, m), imaging.PNG: asPNG(t, m), imaging.GIF: b.Bytes()}
	for _, f := range []imaging.Format{imaging.WebP, imaging.TIFF} {
		inputs[f] = encoded(t, m, f)
	}
	for from, data := range inputs {
		for _, to := range writable {
			e, err := open(t, data).Resize(t.Context(), width/2, height/2, imaging.Good, to)
			if err != nil || e.Format != to {
				t.Errorf("%s to %s: got %s, %v", from, to, e.Format, err)
				continue
			}
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				checkCorners(t, pixels(t, e.Data), image.Rect(0, 0, width/2, height/2))
			})
		}
	}
}

// TestEncode_inAllFormats encodes images with and without alpha.
func TestEncode_inAllFormats(t *testing.T) {
	for _, f := range writable {
		if !f.Writable() {
			t.Errorf("%s is not writable", f)
		}
		for name, m := range map[string]*image.NRGBA{
			"opaque": detailed(70, 50), "with alpha": noisy(70, 50), "one pixel": noisy(1, 1),
		} {
			if p := pixels(t, encoded(t, m, f)); p.Width != m.Rect.Dx() || p.Height != m.Rect.Dy() {
				t.Errorf("%s %s: got %d×%d, want %v", name, f, p.Width, p.Height, m.Rect)
			}
		}
	}
	for in, want := range map[imaging.Format]imaging.Format{
		imaging.GIF: imaging.PNG, imaging.HEIC: imaging.JPEG, imaging.WebP: imaging.WebP, imaging.AVIF: imaging.AVIF,
	} {
		if in.Output() != want || in.Writable() != (in == want || in == imaging.GIF) {
			t.Errorf("the output of %s is %s, want %s", in, in.Output(), want)
		}
	}
}

// TestEncode_copiesPixels checks that changes before Encode appear in its output, and that
// changes after it do not.
func TestEncode_copiesPixels(t *testing.T) {
	for name, p := range map[string]*imaging.Pixels{
		"decoded": pixels(t, asPNG(t, detailed(40, 30))), "new": imaging.NewPixels(40, 30, 3),
	} {
		copy(p.Pix[3*(7*40+9):], []byte{1, 2, 3})
		for _, f := range []imaging.Format{imaging.PNG, imaging.TIFF} {
			e, err := p.Encode(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			copy(p.Pix[3*(7*40+9):], []byte{9, 9, 9})
			if got := [3]byte(pixels(t, e.Data).Pix[3*(7*40+9):]); got != [3]byte{1, 2, 3} {
				t.Errorf("%s as %s: got %v, want [1 2 3]", name, f, got)
			}
			copy(p.Pix[3*(7*40+9):], []byte{1, 2, 3})
		}
	}
}

func TestConvert_keepsTheBytesOfTheSameFormat(t *testing.T) {
	data := withOrientation(asJPEG(t, detailed(64, 48)), 6)
	m := open(t, data)
	same, err := m.Convert(t.Context(), imaging.JPEG)
	if err != nil || !bytes.Equal(same.Data, data) || same.Width != 48 || same.Height != 64 {
		t.Errorf("to the same format: got %d bytes of %d×%d (%v)", len(same.Data), same.Width, same.Height, err)
	}
	other, err := m.Convert(t.Context(), imaging.PNG)
	if err != nil {
		t.Fatal(err)
	}
	config, err := png.DecodeConfig(bytes.NewReader(other.Data))
	if err != nil || config.Width != 48 || config.Height != 64 {
		t.Errorf("to PNG: got %+v (%v), want 48×64", config, err)
	}
}

// TestConvert_rejectsDamage checks the decoding of files that are returned unchanged.
func TestConvert_rejectsDamage(t *testing.T) {
	damaged := func(whole []byte) []byte {
		for i := len(whole) / 2; i < len(whole)-60; i++ {
			whole[i] = 0xff
		}
		return whole
	}
	whole := asPNG(t, noisy(60, 40))
	at := bytes.Index(whole, []byte("IDAT"))
	length := binary.BigEndian.Uint32(whole[at-4:])
	rest := append(bytes.Clone(whole[:at-4]), whole[at+8+int(length):]...)
	half := withChunk(rest, "IDAT", whole[at+4:at+4+int(length/2)])
	for name, data := range map[string][]byte{
		"half a png": half, "webp": damaged(encoded(t, noisy(200, 100), imaging.WebP)),
	} {
		m := open(t, data)
		if _, err := m.Convert(t.Context(), m.Format); !isInputError(err) {
			t.Errorf("%s: got %v, want an InputError", name, err)
		}
	}
	for _, size := range []int{1, 7, 8, 33} {
		m := open(t, asPNG(t, noisy(size, size)))
		if _, err := m.Convert(t.Context(), imaging.PNG); err != nil {
			t.Errorf("%d pixels square: %v", size, err)
		}
	}
}

func TestFormatOf(t *testing.T) {
	for text, want := range map[string]imaging.Format{
		"image/jpeg": imaging.JPEG, ".JPG": imaging.JPEG, "jpe": imaging.JPEG, "Image/PNG": imaging.PNG,
		"tif": imaging.TIFF, "webp": imaging.WebP, "avif": imaging.AVIF, "HEIF": imaging.HEIC, "": "", "svg": "", "image/": "",
	} {
		if got, ok := imaging.FormatOf(text); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", text, got, ok, want)
		}
	}
	if got := imaging.JPEG.MediaType() + " " + imaging.JPEG.Extension(); got != "image/jpeg jpg" {
		t.Errorf("got %q", got)
	}
}

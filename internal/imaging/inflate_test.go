package imaging_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"testing"

	"imageflow.dev/internal/imaging"
)

// randomPNG returns a PNG with random samples in rows of random filters. Its image data has
// two chunks, with surplus bytes at the end. It has a palette if kind is 3.
func randomPNG(t *testing.T, width, height, depth int, kind byte, transparency int, surplus []byte) []byte {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(depth), uint64(kind)))
	bytesOf := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	length := (width*depth*map[byte]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind] + 7) / 8
	var data bytes.Buffer
	w := zlib.NewWriter(&data)
	for range height {
		_, _ = w.Write(append([]byte{byte(random.IntN(5))}, bytesOf(length)...))
	}
	_ = w.Close()
	data.Write(surplus)
	be := binary.BigEndian
	header := be.AppendUint32(be.AppendUint32(nil, uint32(width)), uint32(height))
	out := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(header, byte(depth), kind, 0, 0, 0))...)
	if kind == 3 {
		out = append(out, chunk("PLTE", bytesOf(3<<depth))...)
	}
	if transparency > 0 {
		out = append(out, chunk("tRNS", bytesOf(transparency))...)
	}
	out = append(out, chunk("IDAT", data.Bytes()[:9])...)
	return append(append(out, chunk("IDAT", data.Bytes()[9:])...), chunk("IEND", nil)...)
}

// TestPixels_ofEachKindOfPNG compares with the decoder of Go's library.
func TestPixels_ofEachKindOfPNG(t *testing.T) {
	for _, c := range []struct {
		depth, transparency int
		kind                byte
	}{
		{1, 0, 0}, {2, 0, 0}, {4, 0, 0}, {8, 0, 0}, {16, 0, 0}, {8, 2, 0}, {8, 0, 2}, {16, 0, 2}, {8, 6, 2},
		{1, 0, 3}, {2, 0, 3}, {4, 0, 3}, {8, 0, 3}, {1, 1, 3}, {4, 7, 3}, {8, 256, 3}, {8, 0, 4}, {8, 0, 6},
	} {
		for _, width := range []int{1, 37} {
			data := randomPNG(t, width, 23, c.depth, c.kind, c.transparency, nil)
			name := fmt.Sprintf("depth %d, colour type %d, transparency %d, width %d", c.depth, c.kind, c.transparency, width)
			want, err := png.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(name, err)
			}
			checkSamePixels(t, name, pixels(t, data), want)
		}
	}
}

// checkSamePixels compares colours and alpha. 16 bits may be rounded or cut.
func checkSamePixels(t *testing.T, name string, got *imaging.Pixels, want image.Image) {
	t.Helper()
	if got.Width != want.Bounds().Dx() || got.Height != want.Bounds().Dy() {
		t.Fatalf("%s: %d×%d pixels", name, got.Width, got.Height)
	}
	for i := range got.Width * got.Height {
		c := color.NRGBA64Model.Convert(want.At(i%got.Width, i/got.Width)).(color.NRGBA64)
		expected := [4]uint16{c.R, c.G, c.B, c.A}
		for j, v := range got.Pix[i*got.Channels:][:got.Channels] {
			if c.A > 0 && absolute(int(v)-int(expected[j]>>8)) > 1 {
				t.Fatalf("%s: channel %d of pixel %d is %d, want %d", name, j, i, v, expected[j]>>8)
			}
		}
	}
}

func absolute(v int) int { return max(v, -v) }

// TestPixels_ofPNGWithSurplus decodes image data that continues after its pixels.
func TestPixels_ofPNGWithSurplus(t *testing.T) {
	want := pixels(t, randomPNG(t, 30, 20, 8, 2, 0, nil))
	got := pixels(t, randomPNG(t, 30, 20, 8, 2, 0, []byte("more")))
	if !bytes.Equal(got.Pix, want.Pix) {
		t.Error("other pixels")
	}
}

// TestEncode_allChannelsOfPNG decodes the files with Go's library.
func TestEncode_allChannelsOfPNG(t *testing.T) {
	for name, m := range map[string]image.Image{"opaque": detailed(61, 43), "transparent": noisy(61, 43)} {
		p := pixels(t, asPNG(t, m))
		out, err := p.Encode(t.Context(), imaging.PNG)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := png.Decode(bytes.NewReader(out.Data))
		if err != nil {
			t.Fatal(name, err)
		}
		checkSamePixels(t, name, p, decoded)
	}
}

// TestResize_keepsGrey checks that a grey PNG becomes a grey PNG or JPEG with the same pixels
// as if it were stored in colours.
func TestResize_keepsGrey(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 90, 60))
	colours := image.NewNRGBA(grey.Rect)
	for i := range grey.Pix {
		v := byte(i * i >> 5)
		grey.Pix[i] = v
		colours.SetNRGBA(i%90, i/90, color.NRGBA{v, v, v, 255})
	}
	for _, size := range [][2]int{{40, 30}, {90, 60}} {
		resized := func(m image.Image, f imaging.Format) []byte {
			out, err := open(t, asPNG(t, m)).Resize(t.Context(), size[0], size[1], imaging.Good, f)
			if err != nil {
				t.Fatal(err)
			}
			return out.Data
		}
		got, err := png.Decode(bytes.NewReader(resized(grey, imaging.PNG)))
		if err != nil {
			t.Fatal(err)
		}
		if got.ColorModel() != color.GrayModel {
			t.Errorf("%v: the PNG is not grey", size)
		}
		checkSamePixels(t, "PNG", pixels(t, resized(colours, imaging.PNG)), got)
		if got, err = jpeg.Decode(bytes.NewReader(resized(grey, imaging.JPEG))); err != nil {
			t.Fatal(err)
		}
		if got.ColorModel() != color.GrayModel {
			t.Errorf("%v: the JPEG is not grey", size)
		}
		if p := pixels(t, resized(grey, imaging.WebP)); p.Channels != 3 {
			t.Errorf("%v: the WebP has %d channels", size, p.Channels)
		}
	}
}

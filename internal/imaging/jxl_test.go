package imaging_test

import (
	"bytes"
	"encoding/binary"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"imageflow.dev/internal/imaging"
)

// jxlFile reads a file of testdata/jxl.
func jxlFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(here, "testdata", "jxl", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestJXL_isDecodedAsByDjxl covers both codings, 8 to 32 bits, alpha, profiles, JPEGs, several
// frames and orders of the data, and all orientations.
func TestJXL_isDecodedAsByDjxl(t *testing.T) {
	references, err := filepath.Glob(filepath.Join(here, "testdata", "jxl", "*.png"))
	if err != nil || len(references) == 0 {
		t.Fatal("no references", err)
	}
	for _, reference := range references {
		name := strings.TrimSuffix(filepath.Base(reference), ".png")
		t.Run(name, func(t *testing.T) {
			db := psnrOf(t, pixels(t, jxlFile(t, name)), pixels(t, jxlFile(t, name+".png")))
			t.Logf("%.1f", db)
			if db < minDecoderPSNR {
				t.Errorf("%.1f dB, want at least %d", db, minDecoderPSNR)
			}
		})
	}
}

// TestJXL_isWrittenForDjxl compares outputs, as djxl reads them, with the pixels that were encoded.
func TestJXL_isWrittenForDjxl(t *testing.T) {
	sources := map[string]*imaging.Pixels{
		"opaque": pixels(t, jxlFile(t, "centre.jxl.png")), "with alpha": pixels(t, jxlFile(t, "alpha.jxl.png")),
	}
	for name, encoding := range map[string]imaging.Encoding{
		"default": {}, "best": {Quality: 100}, "small": {Speed: 5}, "lossless": {Lossless: true},
	} {
		for source, p := range sources {
			t.Run(name+" "+source, func(t *testing.T) {
				out := converted(t, p, encoding)
				if db := psnrOf(t, pixels(t, out), p); db < map[bool]float64{true: 200, false: 32}[encoding.Lossless] {
					t.Errorf("%.1f dB to the input", db)
				}
				if db := psnrOf(t, djxl(t, out), pixels(t, out)); db < minDecoderPSNR {
					t.Errorf("%.1f dB to djxl", db)
				}
			})
		}
	}
}

// converted returns pixels as a JPEG XL.
func converted(t *testing.T, p *imaging.Pixels, e imaging.Encoding) []byte {
	t.Helper()
	png, err := p.Encode(t.Context(), imaging.PNG)
	if err != nil {
		t.Fatal(err)
	}
	m := open(t, png.Data)
	m.Encoding = e
	out, err := m.Convert(t.Context(), imaging.JXL)
	if err != nil {
		t.Fatal(err)
	}
	return out.Data
}

// djxl decodes a file by the command of libjxl.
func djxl(t *testing.T, data []byte) *imaging.Pixels {
	t.Helper()
	command, err := exec.LookPath("djxl")
	if err != nil {
		t.Skip("needs djxl, in Debian's libjxl-tools")
	}
	from, to := filepath.Join(t.TempDir(), "in.jxl"), filepath.Join(t.TempDir(), "out.png")
	if err := os.WriteFile(from, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(command, from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	made, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	return pixels(t, made)
}

// TestJXL_keepsMetadataOnRequest goes from a JPEG to a JPEG XL and on to a PNG.
func TestJXL_keepsMetadataOnRequest(t *testing.T) {
	jpeg := owned(t)[imaging.JPEG]
	for keep, want := range map[imaging.Keep]struct{ artist, maker bool }{
		imaging.KeepNothing: {false, false}, imaging.KeepCopyright: {true, false}, imaging.KeepAll: {true, true},
	} {
		out := kept(t, jpeg, imaging.JXL, keep)
		for format, data := range map[imaging.Format][]byte{imaging.JXL: out, imaging.PNG: kept(t, out, imaging.PNG, keep)} {
			artist, maker := bytes.Contains(data, []byte("Ann Author")), bytes.Contains(data, []byte("Maker Inc"))
			if artist != want.artist || maker != want.maker {
				t.Errorf("%v: the %s has the artist: %t, the camera: %t", keep, format, artist, maker)
			}
		}
		if m := open(t, out); m.Orientation != 1 || m.Width != 32 || m.Height != 48 {
			t.Errorf("%v: got %d×%d with orientation %d, want an upright image", keep, m.Width, m.Height, m.Orientation)
		}
		if plain := kept(t, out, imaging.PNG, imaging.KeepNothing); bytes.Contains(plain, []byte("Ann")) {
			t.Errorf("%v: a PNG that keeps nothing has the artist", keep)
		}
	}
}

// TestJXL_hasTheProfileOfItsColours writes Display P3, and reads it as sRGB.
func TestJXL_hasTheProfileOfItsColours(t *testing.T) {
	for _, lossless := range []bool{false, true} {
		m := open(t, asPNG(t, flat(64, 64, color.NRGBA{255, 0, 0, 255})))
		m.Encoding = imaging.Encoding{Profile: imaging.DisplayP3, Lossless: lossless}
		out, err := m.Convert(t.Context(), imaging.JXL)
		if err != nil {
			t.Fatal(err)
		}
		checkColour(t, imaging.JXL, pixels(t, out.Data).Pix, []byte{255, 0, 0})
		checkColour(t, imaging.JXL, djxl(t, out.Data).Pix, []byte{255, 0, 0})
	}
}

// TestJXL_keepsItsProfile: outputs of the files with Display P3 can keep it, also a red that sRGB does not
// have. Outputs of others are sRGB.
func TestJXL_keepsItsProfile(t *testing.T) {
	as := func(data []byte, p imaging.Profile, to imaging.Format) []byte {
		m := open(t, data)
		m.Encoding = imaging.Encoding{Profile: p, Lossless: to == imaging.JXL}
		out, err := m.Convert(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		return out.Data
	}
	for name, wide := range map[string]bool{
		"p3.jxl": true, "p3-lossless.jxl": true, "p3-jpeg.jxl": true, "lossy.jxl": false, "grey-linear.jxl": false,
	} {
		out := as(jxlFile(t, name), imaging.KeepProfile, imaging.PNG)
		if bytes.Contains(out, []byte("iCCP")) != wide {
			t.Errorf("%s: the output has a profile: %t", name, !wide)
		}
		if db := psnrOf(t, pixels(t, out), pixels(t, jxlFile(t, name+".png"))); db < minDecoderPSNR {
			t.Errorf("%s: %.1f dB to djxl", name, db)
		}
	}
	red := asPNG(t, flat(16, 16, color.NRGBA{255, 0, 0, 255}))
	profiled := as(red, imaging.DisplayP3, imaging.PNG)
	at := bytes.Index(profiled, []byte("iCCP"))
	red = withChunk(red, "iCCP", profiled[at+4:][:binary.BigEndian.Uint32(profiled[at-4:])])
	jxl := as(red, imaging.KeepProfile, imaging.JXL)
	for _, p := range []imaging.Profile{imaging.KeepProfile, imaging.DisplayP3} {
		m := open(t, as(jxl, p, imaging.PNG))
		m.Encoding.Profile = imaging.KeepProfile
		got, err := m.Pixels(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		checkColour(t, imaging.JXL, got.Pix, []byte{255, 0, 0})
	}
}

// TestJXL_readsCompressedMetadata reads a file of cjxl, and boxes that are damaged or too large, which have no
// metadata.
func TestJXL_readsCompressedMetadata(t *testing.T) {
	data := jxlFile(t, "metadata.jxl")
	out := kept(t, data, imaging.PNG, imaging.KeepAll)
	if !bytes.Contains(out, []byte("Ann Author")) || !bytes.Contains(out, []byte("© Ann")) {
		t.Error("the metadata is lost")
	}
	var packed bytes.Buffer
	w := brotli.NewWriter(&packed)
	_, _ = w.Write(bytes.Repeat([]byte("large"), 1<<20)) // a buffer returns no errors
	_ = w.Close()
	at := bytes.Index(data, []byte("brobExif"))
	length := int(binary.BigEndian.Uint32(data[at-4:]))
	for name, content := range map[string][]byte{
		"empty": {}, "damaged": data[at+20 : at+30], "large": packed.Bytes(), "a large one again and again": packed.Bytes(),
	} {
		box := binary.BigEndian.AppendUint32(nil, uint32(12+len(content)))
		box = append(append(box, "brobExif"...), content...)
		if strings.Contains(name, "again") {
			box = bytes.Repeat(box, 8000)
		}
		odd := slices.Concat(data[:at-4], box, data[at-4+length:])
		if out := kept(t, odd, imaging.PNG, imaging.KeepAll); bytes.Contains(out, []byte("eXIf")) {
			t.Errorf("%s: got EXIF", name)
		}
	}
}

package imaging_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"imageflow.dev/internal/imaging"
)

// ownedEXIF is a TIFF structure in big endian with Make, Orientation (6), Artist and Copyright,
// and a second directory with a thumbnail.
func ownedEXIF() []byte {
	be := binary.BigEndian
	texts := map[uint16]string{271: "Maker Inc\x00", 315: "Ann Author\x00", 33432: "(c) 2026 Ann\x00"}
	out := append([]byte("MM\x00*\x00\x00\x00\x08"), 0, 4)
	var values []byte
	for _, tag := range []uint16{271, 274, 315, 33432} {
		out = be.AppendUint16(out, tag)
		if tag == 274 {
			out = append(out, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0)
			continue
		}
		out = be.AppendUint32(append(out, 0, 2), uint32(len(texts[tag])))
		out = be.AppendUint32(out, uint32(8+2+4*12+4+len(values)))
		values = append(values, texts[tag]...)
	}
	second := 8 + 2 + 4*12 + 4 + len(values)
	out = append(be.AppendUint32(out, uint32(second)), values...)
	out = append(out, 0, 2)
	out = be.AppendUint32(append(out, 2, 1, 0, 4, 0, 0, 0, 1), uint32(second+2+2*12+4))
	out = be.AppendUint32(append(out, 2, 2, 0, 4, 0, 0, 0, 1), uint32(len(thumbnail)))
	return append(append(out, 0, 0, 0, 0), thumbnail...)
}

const thumbnail = "the thumbnail"

// ownedXMP has every form of a property: an attribute, a text, and arrays.
const ownedXMP = `<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:r="http://ns.adobe.com/xap/1.0/rights/"
 xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" r:Marked="True">
 <r:WebStatement>https://example.org/?a=1&amp;b=2</r:WebStatement>
 <dc:title><rdf:Alt><rdf:li xml:lang="x-default">A secret place</rdf:li></rdf:Alt></dc:title>
 <dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© Ann</rdf:li><rdf:li xml:lang="de">© Änn</rdf:li></rdf:Alt></dc:rights>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`

// ownedIPTC are the data sets of a by-line in ISO 8859-1 and of a caption.
const ownedIPTC = "\x1c\x02\x50\x00\x05Ann \xc4\x1c\x02\x78\x00\x07Caption"

// keepers are the formats that keep metadata.
var keepers = []imaging.Format{imaging.JPEG, imaging.PNG, imaging.WebP, imaging.TIFF, imaging.AVIF}

// owned are images with metadata of all formats that have a place for it.
func owned(t testing.TB) map[imaging.Format][]byte {
	plain := asJPEG(t, detailed(48, 32))
	resources := append([]byte("Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00"), byte(len(ownedIPTC)))
	jpeg := withSegment(plain, 0xed, append(resources, ownedIPTC...))
	jpeg = withSegment(jpeg, 0xe1, []byte("http://ns.adobe.com/xap/1.0/\x00"+ownedXMP))
	jpeg = withSegment(jpeg, 0xe1, append([]byte("Exif\x00\x00"), ownedEXIF()...))
	all := map[imaging.Format][]byte{imaging.JPEG: jpeg}
	for _, f := range keepers[1:] {
		all[f] = kept(t, jpeg, f, imaging.KeepAll)
	}
	return all
}

// kept converts an image and keeps metadata.
func kept(t testing.TB, data []byte, f imaging.Format, keep imaging.Keep) []byte {
	t.Helper()
	m := open(t, data)
	m.Encoding = imaging.Encoding{Keep: keep}
	out, err := m.Convert(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return out.Data
}

// property asks libvips for a property of a file; it is empty if there is none.
func property(t *testing.T, data []byte, name string) string {
	t.Helper()
	tool, err := exec.LookPath("vipsheader")
	if err != nil {
		t.Skip("skipped: there is no vipsheader")
	}
	file := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command(tool, "-f", name, file).Output() // an error means that there is none
	return string(out)
}

// rightsTexts are the texts in owned images that KeepCopyright keeps.
var rightsTexts = []string{"Ann Author", "(c) 2026 Ann", "© Änn", "https://example.org/?a=1&amp;b=2", "True"}

// privateTexts are the texts that only KeepAll keeps.
var privateTexts = []string{"Maker Inc", "A secret place", "Caption"}

func TestKeep_copyright(t *testing.T) {
	for from, data := range owned(t) {
		for _, to := range keepers {
			t.Run(fmt.Sprint(from, " to ", to), func(t *testing.T) {
				none, rights := kept(t, data, to, imaging.KeepNothing), kept(t, data, to, imaging.KeepCopyright)
				for _, text := range rightsTexts {
					if !bytes.Contains(rights, []byte(text)) {
						t.Errorf("lost: %q", text)
					}
					if bytes.Contains(none, []byte(text)) && from != to {
						t.Errorf("kept without being asked to: %q", text)
					}
				}
				for _, text := range append(privateTexts, thumbnail) {
					if bytes.Contains(rights, []byte(text)) {
						t.Errorf("kept: %q", text)
					}
				}
				if from == imaging.JPEG && !bytes.Contains(rights, []byte("<rdf:li>Ann Ä</rdf:li>")) {
					t.Error("the by-line of IPTC is lost")
				}
			})
		}
	}
}

// TestKeep_ofAnAVIF reads a file of avifenc.
func TestKeep_ofAnAVIF(t *testing.T) {
	data := heifFile(t, "metadata.avif")
	for _, to := range keepers {
		for keep, want := range map[imaging.Keep][]string{
			imaging.KeepCopyright: {"(c) 2026 Ann", "© Ann"},
			imaging.KeepAll:       {"(c) 2026 Ann", "© Ann", "a camera"},
		} {
			out := kept(t, data, to, keep)
			for _, text := range want {
				if !bytes.Contains(out, []byte(text)) {
					t.Errorf("%s: lost %q", to, text)
				}
			}
			if keep == imaging.KeepCopyright && (bytes.Contains(out, []byte("Maker")) || bytes.Contains(out, []byte("camera"))) {
				t.Errorf("%s: more than the rights is kept", to)
			}
		}
	}
}

// TestKeep_isReadByLibvips checks the places and the structure of the blocks.
func TestKeep_isReadByLibvips(t *testing.T) {
	jpeg := owned(t)[imaging.JPEG]
	for _, to := range []imaging.Format{imaging.JPEG, imaging.PNG, imaging.WebP, imaging.AVIF} {
		for _, keep := range []imaging.Keep{imaging.KeepCopyright, imaging.KeepAll} {
			data := kept(t, jpeg, to, keep)
			if got := property(t, data, "exif-ifd0-Copyright"); !strings.HasPrefix(got, "(c) 2026 Ann") {
				t.Errorf("%s: the copyright is %q", to, got)
			}
			if got := property(t, data, "exif-ifd0-Make"); (got != "") != (keep == imaging.KeepAll) {
				t.Errorf("%s: the maker is %q", to, got)
			}
			if property(t, data, "xmp-data") == "" && to != imaging.AVIF { // libvips 8.14 does not read it there
				t.Errorf("%s: no XMP", to)
			}
		}
	}
	if property(t, kept(t, jpeg, imaging.TIFF, imaging.KeepAll), "xmp-data") == "" {
		t.Error("tiff: no XMP")
	}
	if property(t, kept(t, jpeg, imaging.JPEG, imaging.KeepAll), "iptc-data") == "" {
		t.Error("jpeg: no IPTC")
	}
}

// TestKeep_allIsUpright: the output has all blocks, the orientation 1 with turned pixels, and no
// thumbnail.
func TestKeep_allIsUpright(t *testing.T) {
	jpeg := owned(t)[imaging.JPEG]
	for _, to := range keepers {
		data := kept(t, jpeg, to, imaging.KeepAll)
		m := open(t, data)
		if m.Orientation != 1 || m.Width != 32 || m.Height != 48 {
			t.Errorf("%s: orientation %d of %d×%d pixels, want 1 of 32×48", to, m.Orientation, m.Width, m.Height)
		}
		if _, err := m.Pixels(t.Context()); err != nil {
			t.Errorf("%s: %v", to, err)
		}
		if bytes.Contains(data, []byte(thumbnail)) || !bytes.Contains(data, []byte(`tiff:Orientation="1"`)) {
			t.Errorf("%s: there is a thumbnail, or the orientation of XMP is not 1", to)
		}
		for _, text := range privateTexts {
			hasPlace := to == imaging.JPEG || text == "A secret place" || text == "Maker Inc" && to != imaging.TIFF ||
				text == "Caption" && to == imaging.TIFF
			if bytes.Contains(data, []byte(text)) != hasPlace {
				t.Errorf("%s: %q is kept: %t", to, text, !hasPlace)
			}
		}
	}
}

// TestKeep_brokenMetadata: files whose metadata cannot be read still become images.
func TestKeep_brokenMetadata(t *testing.T) {
	plain := asJPEG(t, detailed(16, 16))
	exif := ownedEXIF()
	for at := range len(exif) {
		damaged := bytes.Clone(exif)
		damaged[at] ^= 0xff
		for _, block := range [][]byte{exif[:at], damaged} {
			data := withSegment(plain, 0xe1, append([]byte("Exif\x00\x00"), block...))
			for _, keep := range []imaging.Keep{imaging.KeepCopyright, imaging.KeepAll} {
				m := open(t, data)
				if m.Encoding.Keep = keep; m.Orientation < 1 || m.Orientation > 8 {
					continue
				}
				out, err := m.Convert(t.Context(), imaging.TIFF)
				if err != nil {
					t.Fatalf("byte %d: %v", at, err)
				}
				open(t, out.Data)
			}
		}
	}
	for _, xmp := range []string{"<", "<a", strings.Repeat("<dc:rights>", 5000), ownedXMP[:300], "\xff\xfe<\x00"} {
		data := withSegment(plain, 0xe1, []byte("http://ns.adobe.com/xap/1.0/\x00"+xmp))
		open(t, kept(t, data, imaging.PNG, imaging.KeepCopyright))
		open(t, kept(t, data, imaging.PNG, imaging.KeepAll))
	}
}

// FuzzKeep checks that outputs with the metadata of any file can be read again.
func FuzzKeep(f *testing.F) {
	for _, data := range owned(f) {
		f.Add(data, true)
		f.Add(data, false)
	}
	f.Fuzz(func(t *testing.T, data []byte, all bool) {
		m, err := imaging.Open(data, imaging.Limits{MaxSide: 300, MaxPixels: 10_000})
		if err != nil {
			return
		}
		m.Encoding.Keep = imaging.KeepCopyright
		if all {
			m.Encoding.Keep = imaging.KeepAll
		}
		for _, to := range keepers {
			out, err := m.Resize(t.Context(), 5, 3, imaging.Fast, to)
			if err != nil {
				return
			}
			if again := open(t, out.Data); again.Width != 5 || again.Height != 3 || again.Orientation != 1 {
				t.Errorf("%s: %d×%d pixels with orientation %d", to, again.Width, again.Height, again.Orientation)
			}
		}
	})
}

package imaging_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"imageflow.dev/internal/imaging"
)

// restarting returns a grey JPEG of one row of blocks, with four blocks in each restart
// interval. The code of a block is two zero bits.
func restarting(intervals int) []byte {
	be := binary.BigEndian
	b := append([]byte{0xff, 0xd8, 0xff, 0xdb, 0, 67, 0}, bytes.Repeat([]byte{1}, 64)...)
	b = be.AppendUint16(append(b, 0xff, 0xc0, 0, 11, 8, 0, 8), uint16(intervals*4*8))
	b = append(b, 1, 1, 0x11, 0)
	for _, table := range []byte{0x00, 0x10} { // the only code, bit 0: difference 0, end of block
		b = append(b, 0xff, 0xc4, 0, 20, table, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	b = append(b, 0xff, 0xdd, 0, 4, 0, 4, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0)
	for i := range intervals {
		if b = append(b, 0); i < intervals-1 {
			b = append(b, 0xff, 0xd0|byte(i&7))
		}
	}
	return append(b, 0xff, 0xd9)
}

// scanOf returns the start of the data of the last scan.
func scanOf(jpeg []byte) int {
	at := bytes.LastIndex(jpeg, []byte{0xff, 0xda})
	return at + 2 + int(binary.BigEndian.Uint16(jpeg[at+2:]))
}

func end(jpeg []byte) []byte { return append(jpeg[:len(jpeg):len(jpeg)], 0xff, 0xd9) }

// tiffOfJPEG returns a grey TIFF with a JPEG as its only strip.
func tiffOfJPEG(width, height uint32, jpeg []byte) []byte {
	e := rgbTIFF(width, height)
	e[2].values, e[3].values, e[4].values, e[6].values = []uint32{8}, []uint32{7}, []uint32{1}, []uint32{1}
	return withPixels(binary.LittleEndian, e, jpeg)
}

// damagedFile is a complete file with damaged image data, and the start of its error.
type damagedFile struct {
	data []byte
	err  string
}

func damaged(t *testing.T) map[string]damagedFile {
	jpeg, slow, ticks := asJPEG(t, detailed(120, 80)), progressive(t, 120, 80), restarting(9)
	shade := asJPEG(t, grey(64, 48, 77))
	one := gifOf(90, 80, [4]int{0, 0, 90, 80})
	frame := bytes.IndexByte(one[13:], 0x2c) + 13 + 10
	webp := encoded(t, detailed(60, 40), imaging.WebP)
	lossless := riff("VP8L", vp8l(60, 40, false))
	firstScan := bytes.Index(slow, []byte{0xff, 0xda})
	secondScan := firstScan + 2 + bytes.Index(slow[firstScan+2:], []byte{0xff, 0xda})
	outside := rgbTIFF(4, 4)
	outside[5].values = []uint32{0}
	first := func(n int) []byte { return end(jpeg[:scanOf(jpeg)+(len(jpeg)-scanOf(jpeg))*n/100]) }
	restart := bytes.Index(ticks, []byte{0xff, 0xd3})
	replaced := func(with ...byte) []byte {
		return append(append(bytes.Clone(ticks[:restart]), with...), ticks[restart+2:]...)
	}
	return map[string]damagedFile{
		"jpeg, half a scan":                         {first(50), "truncated jpeg"},
		"jpeg, 97 % of a scan":                      {first(97), "truncated jpeg"},
		"jpeg, an empty scan":                       {end(jpeg[:scanOf(jpeg)]), "truncated jpeg"},
		"jpeg, half a progressive scan":             {end(slow[:scanOf(slow)+(len(slow)-scanOf(slow))/2]), "truncated jpeg"},
		"jpeg, an end for a restart":                {replaced(0xff, 0xd9), "truncated jpeg"},
		"jpeg, another restart":                     {replaced(0xff, 0xd6), "corrupt jpeg"},
		"jpeg, no restart":                          {replaced(), "corrupt jpeg"},
		"jpeg, no scan":                             {end(bytes.Clone(slow[:firstScan])), "corrupt jpeg"},
		"jpeg, all scans but the first are missing": {end(slow[:secondScan]), "truncated jpeg"},
		"tiff, pixels in its header":                {asTIFF(binary.LittleEndian, outside...), "truncated tiff"},
		"gif, no data":                              {append(bytes.Clone(one[:frame+1]), 0, 0x3b), "truncated gif"},
		"gif, truncated data": {append(append(bytes.Clone(one[:frame]), gifData(90*40)...), 0, 0x3b),
			"truncated gif"},
		"gif, an invalid code":     {append(bytes.Clone(one[:frame]), 2, 2, 0x3c, 0xff, 0, 0x3b), "corrupt gif"},
		"tiff, half a jpeg":        {tiffOfJPEG(64, 48, end(shade[:scanOf(shade)+2])), "truncated tiff"},
		"tiff, a jpeg without end": {tiffOfJPEG(64, 48, shade[:len(shade)-12]), "truncated tiff"},
		"webp, cut inside":         {riff("VP8 ", simpleWebP(webp)[20:20+(len(webp)-20)/2&^1]), "corrupt webp"},
		"webp, lossless cut":       {lossless, "corrupt webp"},
	}
}

// TestDamage_isRejected checks that images with missing or damaged parts are rejected by all
// operations, and never filled with grey.
func TestDamage_isRejected(t *testing.T) {
	for name, file := range damaged(t) {
		for way, work := range map[string]func(*imaging.Image) error{
			"in full": func(m *imaging.Image) error { _, err := m.Pixels(t.Context()); return err },
			"resized": func(m *imaging.Image) error {
				_, err := m.Resize(t.Context(), 8, 8, imaging.Fast, imaging.PNG)
				return err
			},
			"as it is": func(m *imaging.Image) error { _, err := m.Convert(t.Context(), m.Format.Output()); return err },
		} {
			m, err := imaging.Open(file.data, roomy)
			if err == nil {
				err = work(m)
			}
			if !isInputError(err) || !strings.HasPrefix(err.Error(), file.err) {
				t.Errorf("%s, %s: got %v, want %s", name, way, err, file.err)
			}
		}
	}
}

// TestQuirks_areAccepted uses files about which decoders warn, but which have all of their
// pixels. They are neither rejected nor reported as repaired.
func TestQuirks_areAccepted(t *testing.T) {
	jpeg, ticks := asJPEG(t, detailed(120, 80)), restarting(9)
	samsung := bytes.Clone(jpeg)
	samsung[scanOf(jpeg)-2] = 0 // last coefficient of the scan, which has all 64
	jfif := withSegment(jpeg, 0xe0, []byte("JFIF\x00\x02\x01\x00\x00\x01\x00\x01\x00\x00"))
	adobe := withSegment(jpeg, 0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x09"))
	for name, data := range map[string][]byte{
		"restarts":                    ticks,
		"odd scan parameters":         samsung,
		"an unknown version of JFIF":  jfif,
		"an unknown transform":        adobe,
		"bytes before the end":        insert(jpeg, len(jpeg)-2, 0, 0, 0),
		"fill bytes before a segment": insert(jpeg, 2, 0xff, 0xff),
		"a trailer":                   append(bytes.Clone(jpeg), "\xff\xd8\xffmore"...),
		"a jpeg in a tiff":            tiffOfJPEG(64, 48, asJPEG(t, grey(64, 48, 77))),
	} {
		m, err := imaging.Open(data, roomy)
		if err == nil {
			_, err = m.Pixels(t.Context())
		}
		if err != nil || len(m.Repaired) > 0 {
			t.Errorf("%s: %v", name, errors.Join(err))
		}
	}
}

// TestDamage_isNotMixedUpBetweenThreads decodes intact and damaged images in parallel and
// checks that only the damaged ones are rejected.
func TestDamage_isNotMixedUpBetweenThreads(t *testing.T) {
	whole := asJPEG(t, detailed(120, 80))
	half := end(whole[:scanOf(whole)+(len(whole)-scanOf(whole))/2])
	results := make(chan error, 8)
	for i := range cap(results) {
		go func() {
			data := [][]byte{whole, half}[i%2]
			for range 30 {
				m, err := imaging.Open(data, roomy)
				if err == nil {
					_, err = m.Pixels(t.Context())
				}
				if (err != nil) != (i%2 == 1) {
					results <- errors.Join(errors.New([]string{"whole", "half"}[i%2]), err)
					return
				}
			}
			results <- nil
		}()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

package imaging

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf16"
)

// cicp are the code points of the colour primaries and of the transfer characteristics of an image
// (ITU-T H.273, 8.1 and 8.2). Values that are reserved or unspecified mean those of sRGB.
type cicp struct{ primaries, transfer int }

const (
	primariesBT709 = 1
	transferSRGB   = 13
)

// chromaticity has the coordinates x and y of CIE 1931.
type chromaticity [2]float64

var d65 = chromaticity{0.3127, 0.3290}

// primaries are the chromaticities of red, green, blue and white (H.273, table 2).
var primaries = map[int][4]chromaticity{
	primariesBT709: {{0.640, 0.330}, {0.300, 0.600}, {0.150, 0.060}, d65},
	4:              {{0.67, 0.33}, {0.21, 0.71}, {0.14, 0.08}, {0.310, 0.316}},
	5:              {{0.64, 0.33}, {0.29, 0.60}, {0.15, 0.06}, d65},
	6:              {{0.630, 0.340}, {0.310, 0.595}, {0.155, 0.070}, d65},
	7:              {{0.630, 0.340}, {0.310, 0.595}, {0.155, 0.070}, d65},
	8:              {{0.681, 0.319}, {0.243, 0.692}, {0.145, 0.049}, {0.310, 0.316}},
	9:              {{0.708, 0.292}, {0.170, 0.797}, {0.131, 0.046}, d65},
	10:             {{1, 0}, {0, 1}, {0, 0}, {1. / 3, 1. / 3}},
	11:             {{0.680, 0.320}, {0.265, 0.690}, {0.150, 0.060}, {0.314, 0.351}},
	12:             {{0.680, 0.320}, {0.265, 0.690}, {0.150, 0.060}, d65},
	22:             {{0.630, 0.340}, {0.295, 0.605}, {0.155, 0.077}, d65},
}

// transfers return the light of a value, both from 0 to 1 (H.273, table 3). The curve of sRGB is
// used for all others, also for those of cameras for BT.601, BT.709 and BT.2020: encoders write
// them for images in sRGB, and displays undo them with a curve that is closer to the curve of sRGB.
var transfers = map[int]func(v float64) float64{
	4:  func(v float64) float64 { return math.Pow(v, 2.2) },
	5:  func(v float64) float64 { return math.Pow(v, 2.8) },
	8:  func(v float64) float64 { return v },
	9:  func(v float64) float64 { return logarithmic(v, 2) },
	10: func(v float64) float64 { return logarithmic(v, 2.5) },
	16: func(v float64) float64 { return toneMapped(perceptualQuantizer(v)) },
	17: func(v float64) float64 { return min(1, 52.37/48*math.Pow(v, 2.6)) },
	18: func(v float64) float64 { return toneMapped(hybridLogGamma(v)) },
}

func logarithmic(v, decades float64) float64 {
	if v <= 0 {
		return 0
	}
	return math.Pow(10, decades*(v-1))
}

// Luminances in cd/m²: of the reference white of HDR (ITU-R BT.2408, 2.1), and of the light that
// becomes white.
const (
	referenceWhite = 203.0
	peakWhite      = 1000.0
)

// perceptualQuantizer returns the luminance of a value of SMPTE ST 2084, in units of the reference
// white.
func perceptualQuantizer(v float64) float64 {
	const m1, m2, c1, c2, c3 = 2610. / 16384, 2523. / 32, 3424. / 4096, 2413. / 128, 2392. / 128
	p := math.Pow(v, 1/m2)
	return 10_000 / referenceWhite * math.Pow(max(p-c1, 0)/(c2-c3*p), 1/m1)
}

// hybridLogGamma returns the luminance of a value of HLG on a display of peakWhite (ITU-R BT.2100,
// table 5), in units of the reference white. The gamma of the display applies to each colour by
// itself.
func hybridLogGamma(v float64) float64 {
	const a, b, c, gamma = 0.17883277, 0.28466892, 0.55991073, 1.2
	scene := v * v / 3
	if v > 0.5 {
		scene = (math.Exp((v-c)/a) + b) / 12
	}
	return peakWhite / referenceWhite * math.Pow(scene, gamma)
}

// toneMapped maps luminances in units of the reference white to 0 to 1. Those up to half of the
// reference white do not change; above, a curve of Reinhard's maps peakWhite to 1, and twice the
// reference white to 0.84.
func toneMapped(light float64) float64 {
	const knee = 0.5
	const white = (peakWhite/referenceWhite - knee) / (1 - knee)
	if light <= knee {
		return light
	}
	x := (light - knee) / (1 - knee)
	return min(1, knee+(1-knee)*x*(1+x/(white*white))/(1+x))
}

// isSRGB reports whether the colours are taken as sRGB.
func (c cicp) isSRGB() bool {
	_, other := primaries[c.primaries]
	return transfers[c.transfer] == nil && (!other || c.primaries == primariesBT709)
}

// icc returns an ICC profile of version 4 with three primaries and a curve (ICC.1:2022, 8.3.3).
func (c cicp) icc() []byte {
	name := utf16.Encode([]rune(fmt.Sprintf("CICP %d/%d", c.primaries, c.transfer)))
	text := append([]byte("mluc\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x0cenUS"), be32(2*len(name), 28)...)
	for _, unit := range name {
		text = binary.BigEndian.AppendUint16(text, unit)
	}
	tags := []iccTag{{"desc", text}, {"cprt", text}, {"wtpt", xyzTag(d50)}}
	red, green, blue := c.colorants()
	curve := c.curve()
	tags = append(tags, iccTag{"rXYZ", xyzTag(red)}, iccTag{"gXYZ", xyzTag(green)}, iccTag{"bXYZ", xyzTag(blue)},
		iccTag{"rTRC", curve}, iccTag{"gTRC", curve}, iccTag{"bTRC", curve})
	return profileOf(tags)
}

// curve returns the tag of the transfer function, for sRGB as a formula and else as a table.
func (c cicp) curve() []byte {
	light := transfers[c.transfer]
	if light == nil {
		formula := []byte("para\x00\x00\x00\x00\x00\x03\x00\x00")
		for _, parameter := range []float64{2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045} {
			formula = append(formula, be32(fixed16(parameter))...)
		}
		return formula
	}
	const points = 1024
	table := append([]byte("curv\x00\x00\x00\x00"), be32(points)...)
	for i := range points {
		v := light(float64(i) / (points - 1))
		table = append(table, be16(int(math.Round(v*math.MaxUint16)))...)
	}
	return table
}

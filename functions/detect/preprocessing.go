package detect

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
)

// fit is how an image is scaled to a model's input.
type fit string

const (
	// letterbox keeps the aspect ratio and centres the image, with padding around it.
	letterbox fit = "letterbox"
	// topLeft keeps the aspect ratio and pads at the right and at the bottom.
	topLeft fit = "top-left"
	// stretch scales width and height independently, without padding.
	stretch fit = "stretch"
	// centreCrop keeps the aspect ratio, fills the input, and cuts off both ends of the longer side.
	centreCrop fit = "center-crop"
)

// preprocessing is how an image becomes a model's input.
type preprocessing struct {
	fit fit
	// roundsDown means that the sides of the scaled image are rounded down, as in YOLOX (data_augment.py, preproc).
	roundsDown bool
	// bgr means that the channels are in the order blue, green, red.
	bgr bool
	// white is the input value of a pixel value of 255.
	white float32
	// mean is subtracted from the values, and the result divided by std, both in the order of the
	// channels. They have the unit of white. A std of 0 means neither.
	mean, std [3]float32
	// padding is the colour beside the image: pixel values of 0 to 255 in the order of the channels.
	padding [3]float32
	// quality is Triangle, Bilinear or BilinearAsymmetric.
	quality imaging.Quality
}

// grey114 is the padding that YOLO models are trained with.
var grey114 = [3]float32{114, 114, 114}

// The mean and the standard deviation of the colours of ImageNet.
var imageNetMean, imageNetStd = [3]float32{0.485, 0.456, 0.406}, [3]float32{0.229, 0.224, 0.225}

// The preprocessing of the projects that train the models. README.md has the sources of the interpolations.
var (
	// of Ultralytics
	defaultPreprocessing = preprocessing{fit: letterbox, white: 1, padding: grey114, quality: imaging.Bilinear}
	rtdetrPreprocessing  = preprocessing{fit: stretch, white: 1, padding: grey114, quality: imaging.Bilinear}
	yoloxPreprocessing   = preprocessing{
		fit: topLeft, roundsDown: true, bgr: true, white: 255, padding: grey114, quality: imaging.Bilinear,
	}
	// classifyPreprocessing does what classify_transforms does in ultralytics/data/augment.py.
	classifyPreprocessing = preprocessing{fit: centreCrop, white: 1, quality: imaging.Triangle}

	dfinePreprocessing  = preprocessing{fit: stretch, white: 1, padding: grey114, quality: imaging.Triangle}
	rfdetrPreprocessing = preprocessing{
		fit: stretch, white: 1, padding: grey114, quality: imaging.Triangle, mean: imageNetMean, std: imageNetStd,
	}
	paddlePreprocessing = preprocessing{
		fit: stretch, white: 1, padding: grey114, quality: imaging.Bilinear, mean: imageNetMean, std: imageNetStd,
	}
	rtmdetPreprocessing = preprocessing{
		fit: topLeft, bgr: true, white: 255, padding: grey114, quality: imaging.Bilinear,
		mean: [3]float32{103.53, 116.28, 123.675}, std: [3]float32{57.375, 57.12, 58.395},
	}
)

// The names of the parameters that override the preprocessing and the layout.
const (
	layoutKey   = "layout"
	fitKey      = "resize"
	channelsKey = "channel_order"
	rangeKey    = "pixel_range"
	meanKey     = "mean"
	stdKey      = "std"
	paddingKey  = "padding"
	filterKey   = "interpolation"
)

// The values of the parameter interpolation, and the quality of each.
var (
	interpolations = [...]string{"antialiased", "bilinear", "bilinear_asymmetric"}
	qualities      = [...]imaging.Quality{imaging.Triangle, imaging.Bilinear, imaging.BilinearAsymmetric}
)

// interpolation returns the value of the parameter for how images are scaled.
func (p *preprocessing) interpolation() string {
	return interpolations[slices.Index(qualities[:], p.quality)]
}

// preprocess returns the preprocessing of a model: the default of its layout, overridden by
// its parameters. Images of bytes have pixel values.
func preprocess(p preprocessing, image inference.ElementType, values map[string]string) (preprocessing, error) {
	if image == inference.Uint8 {
		p.white, p.mean, p.std = 255, [3]float32{}, [3]float32{}
	}
	of := parameters{values: values}
	if f := of.choice(fitKey, string(letterbox), string(topLeft), string(stretch), string(centreCrop)); f != "" {
		p.fit = fit(f)
	}
	if order := of.choice(channelsKey, "rgb", "bgr"); order != "" {
		p.bgr = order == "bgr"
	}
	if white := of.choice(rangeKey, "1", "255"); white != "" {
		p.white = map[string]float32{"1": 1, "255": 255}[white]
	}
	if filter := of.choice(filterKey, interpolations[:]...); filter != "" {
		p.quality = qualities[slices.Index(interpolations[:], filter)]
	}
	p.padding = of.numbers(paddingKey, p.padding, 0, 255)
	p.mean = of.numbers(meanKey, p.mean, -p.white, p.white)
	p.std = of.numbers(stdKey, p.std, math.SmallestNonzeroFloat32, p.white)
	if p.mean != [3]float32{} && p.std == [3]float32{} {
		p.std = [3]float32{1, 1, 1}
	}
	if image == inference.Uint8 && (p.white != 255 || p.std != [3]float32{}) && of.err == nil {
		of.err = fmt.Errorf("its image is of UINT8 and has pixel values, so the parameters %s, %s and %s cannot apply",
			rangeKey, meanKey, stdKey)
	}
	return p, of.err
}

// value returns the value in channel c of the input for a pixel value of 0 to 255.
func (p *preprocessing) value(pixel float32, c int) float32 {
	return p.normalised(pixel*p.white/255, c)
}

// normalised applies mean and std to a value of channel c.
func (p *preprocessing) normalised(v float32, c int) float32 {
	if p.std[c] == 0 {
		return v
	}
	return (v - p.mean[c]) / p.std[c]
}

// parameters reads parameters of a model and keeps the first error.
type parameters struct {
	values map[string]string
	err    error
}

// choice returns the value of a parameter, or "" if it is missing or not allowed.
func (p *parameters) choice(key string, allowed ...string) string {
	v := p.values[key]
	if v == "" || slices.Contains(allowed, v) {
		return v
	}
	last := len(allowed) - 1
	p.fail("the parameter %s is %q but must be %s or %s", key, v, strings.Join(allowed[:last], ", "), allowed[last])
	return ""
}

// numbers returns the three numbers of a parameter, or the default if it is missing. One number
// stands for three.
func (p *parameters) numbers(key string, byDefault [3]float32, low, high float32) (v [3]float32) {
	text := p.values[key]
	if text == "" {
		return byDefault
	}
	fields := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("[](), ", r) })
	if len(fields) == 1 {
		fields = slices.Repeat(fields, 3)
	}
	bad := len(fields) != 3
	for i := 0; i < 3 && !bad; i++ {
		n, err := strconv.ParseFloat(fields[i], 32)
		v[i] = float32(n)
		bad = err != nil || !(v[i] >= low && v[i] <= high)
	}
	if bad {
		p.fail("the parameter %s is %q but must be one number or three, as in [%g, %g, %g], from %g to %g",
			key, text, high/2, high/2, high/2, low, high)
	}
	return v
}

func (p *parameters) fail(format string, arguments ...any) {
	p.err = errors.Join(p.err, fmt.Errorf(format, arguments...))
}

// Package filter changes the look of pictures.
package filter

import (
	"context"
	"maps"
	"math"
	"slices"
	"strconv"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Processor is the filter processor. It has no side-car.
var Processor = functions.Processor[*imageflowv1.FilterRequest, *imageflowv1.FilterResponse]{
	Name:    "filter",
	Suffix:  "filter",
	Service: imageflowv1.FilterService_ServiceDesc.ServiceName,
	Check:   check,
	Apply:   apply,
}

// parameter is a setting beside the intensity, a number in [least, most].
type parameter struct{ least, most, otherwise float64 }

// settings are the values of a filter's parameters, and what else it reports.
type settings map[string]float64

// filter is one filter: the range of its intensity, its parameters, and one of
// two ways to work.
type filter struct {
	least, most float64
	parameters  map[string]parameter
	// pixels changes pixels in place.
	pixels func(p *imaging.Pixels, intensity float64, s settings)
	// sigma is the standard deviation of a Gaussian, in pixels.
	sigma func(width, height int, intensity float64) float64
}

// filters are the filters, as the contract describes them.
var filters = map[imageflowv1.FilterType]filter{
	imageflowv1.FilterType_FILTER_TYPE_BLUR:       {most: 10, sigma: relativeSigma},
	imageflowv1.FilterType_FILTER_TYPE_GAUSSIAN:   {most: maxSigma, sigma: absoluteSigma},
	imageflowv1.FilterType_FILTER_TYPE_SHARPEN:    {most: 10, pixels: sharpen, parameters: map[string]parameter{"sigma": {0.5, 3, 1}}},
	imageflowv1.FilterType_FILTER_TYPE_BRIGHTNESS: {least: -1, most: 1, pixels: brightness},
	imageflowv1.FilterType_FILTER_TYPE_CONTRAST:   {least: -1, most: 4, pixels: contrast, parameters: map[string]parameter{"pivot": {0, 1, 0.5}}},
	imageflowv1.FilterType_FILTER_TYPE_SATURATION: {least: -1, most: 4, pixels: saturation},
}

// maxSigma bounds the time of a blur.
const maxSigma = 20

// relativeSigma looks alike at any size.
func relativeSigma(width, height int, intensity float64) float64 {
	return math.Min(maxSigma, intensity*float64(max(width, height))/400)
}

func absoluteSigma(_, _ int, intensity float64) float64 { return intensity }

func check(r *imageflowv1.FilterRequest) error {
	f := filters[r.GetFilterType()]
	if v := float64(r.GetIntensity()); v < f.least || v > f.most {
		return functions.Errorf(functions.Invalid, "intensity", "%g is outside [%g, %g] of %s", v, f.least, f.most, r.GetFilterType())
	}
	_, err := f.read(r)
	return err
}

// read reads the parameters of a request.
func (f filter) read(r *imageflowv1.FilterRequest) (settings, error) {
	s := settings{}
	for name, p := range f.parameters {
		s[name] = p.otherwise
	}
	for name, text := range r.GetParameters() {
		p, ok := f.parameters[name]
		if !ok {
			return nil, functions.Errorf(functions.Invalid, "parameters", "%s has no parameter %q; it has %q",
				r.GetFilterType(), name, slices.Sorted(maps.Keys(f.parameters)))
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v >= p.least && v <= p.most) { // NaN is no number in a range
			return nil, functions.Errorf(functions.Invalid, "parameters", "%s is %q but must be a number in [%g, %g]", name, text, p.least, p.most)
		}
		s[name] = v
	}
	return s, nil
}

func apply(_ context.Context, in functions.Input[*imageflowv1.FilterRequest]) (imaging.Encoded, *imageflowv1.FilterResponse, error) {
	f := filters[in.Request.GetFilterType()]
	s, err := f.read(in.Request)
	if err != nil {
		return imaging.Encoded{}, nil, err
	}
	out, err := f.run(in.Image, float64(in.Request.GetIntensity()), s, in.Format)
	if err != nil {
		return out, nil, err
	}
	applied := map[string]string{}
	for name, value := range s {
		applied[name] = strconv.FormatFloat(value, 'g', 6, 64)
	}
	return out, &imageflowv1.FilterResponse{
		Result: &imageflowv1.ProcessingResult{},
		Metadata: &imageflowv1.FilterMetadata{
			FilterType: in.Request.GetFilterType(), Intensity: in.Request.GetIntensity(), AppliedParameters: applied,
		},
	}, nil
}

// run applies the filter. An intensity of 0 changes nothing.
func (f filter) run(m *imaging.Image, intensity float64, s settings, format imaging.Format) (imaging.Encoded, error) {
	if intensity == 0 {
		return m.Convert(format)
	}
	if f.sigma != nil {
		width, height := m.Size()
		s["sigma"] = f.sigma(width, height, intensity)
		return m.Blur(s["sigma"], format)
	}
	p, err := m.Pixels()
	if err != nil {
		return imaging.Encoded{}, err
	}
	f.pixels(p, intensity, s)
	return p.Encode(format)
}

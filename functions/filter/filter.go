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
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Processor is the filter processor. It has no side-car.
var Processor = functions.New(functions.Definition[*imageflowv1.FilterRequest, *imageflowv1.FilterResponse]{
	Info:  processors.Filter,
	Check: check,
	Apply: apply,
	Footprint: func(r *imageflowv1.FilterRequest, h imaging.Header, f imaging.Format) int64 {
		if r.GetIntensity() == 0 {
			return h.ConvertFootprint(f)
		}
		return h.Footprint(f)
	},
})

// parameter is a setting beside the intensity, a number in [least, most].
type parameter struct{ least, most, otherwise float64 }

// settings are the values of a filter's parameters, and what else it reports.
type settings map[string]float64

// filter is one filter: the range of its intensity, its parameters, and its
// work.
type filter struct {
	least, most float64
	parameters  map[string]parameter
	// sigma derives the setting "sigma", the standard deviation of a Gaussian
	// in pixels; nil where it does not follow from the intensity.
	sigma func(width, height int, intensity float64) float64
	// pixels changes pixels in place. Its error is the context's.
	pixels func(ctx context.Context, p *imaging.Pixels, intensity float64, s settings) error
}

// filters are the filters, as the contract describes them.
var filters = map[imageflowv1.FilterType]filter{
	imageflowv1.FilterType_FILTER_TYPE_BLUR:       {most: 10, pixels: blur, sigma: relativeSigma},
	imageflowv1.FilterType_FILTER_TYPE_GAUSSIAN:   {most: maxSigma, pixels: blur, sigma: absoluteSigma},
	imageflowv1.FilterType_FILTER_TYPE_SHARPEN:    {most: 10, pixels: sharpen, parameters: map[string]parameter{"sigma": {0.5, 3, 1}}},
	imageflowv1.FilterType_FILTER_TYPE_BRIGHTNESS: {least: -1, most: 1, pixels: brightness},
	imageflowv1.FilterType_FILTER_TYPE_CONTRAST:   {least: -1, most: 4, pixels: contrast, parameters: map[string]parameter{"pivot": {0, 1, 0.5}}},
	imageflowv1.FilterType_FILTER_TYPE_SATURATION: {least: -1, most: 4, pixels: saturation},
}

// maxSigma is the contract's; more would hide all.
const maxSigma = 20

// relativeSigma looks alike at any size.
func relativeSigma(width, height int, intensity float64) float64 {
	return math.Min(maxSigma, intensity*float64(max(width, height))/400)
}

func absoluteSigma(_, _ int, intensity float64) float64 { return intensity }

func check(r *imageflowv1.FilterRequest) error {
	f := filters[r.GetFilterType()]
	if v := float64(r.GetIntensity()); !(v >= f.least && v <= f.most) { // NaN is in no range
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
		if err != nil || !(v >= p.least && v <= p.most) { // nor here
			return nil, functions.Errorf(functions.Invalid, "parameters", "%s is %q but must be a number in [%g, %g]", name, text, p.least, p.most)
		}
		s[name] = v
	}
	return s, nil
}

func apply(ctx context.Context, r *imageflowv1.FilterRequest, in functions.Input) (imaging.Encoded, *imageflowv1.FilterResponse, error) {
	f := filters[r.GetFilterType()]
	s, err := f.read(r)
	if err != nil {
		return imaging.Encoded{}, nil, err
	}
	facts := &imageflowv1.FilterMetadata{
		FilterType: r.GetFilterType(), Intensity: r.GetIntensity(), AppliedParameters: map[string]string{},
	}
	resp := &imageflowv1.FilterResponse{Result: &imageflowv1.ProcessingResult{}, Metadata: facts}
	intensity := float64(r.GetIntensity())
	if intensity == 0 { // nothing changes, and no setting has an effect
		out, err := in.Image.Convert(ctx, in.Format)
		return out, resp, err
	}
	if f.sigma != nil {
		width, height := in.Image.Size()
		s["sigma"] = f.sigma(width, height, intensity)
	}
	for name, value := range s {
		facts.AppliedParameters[name] = strconv.FormatFloat(value, 'g', 6, 64)
	}
	p, err := in.Pixels(ctx)
	if err != nil {
		return imaging.Encoded{}, nil, err
	}
	if err := f.pixels(ctx, p, intensity, s); err != nil {
		return imaging.Encoded{}, nil, err
	}
	within, encoded := in.Stage(ctx, "encode")
	defer encoded()
	out, err := p.Encode(within, in.Format)
	return out, resp, err
}

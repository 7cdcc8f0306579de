// Package filter changes the look of images.
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
	Info:      processors.Filter,
	Check:     check,
	Reference: reference,
	Describes: describes,
	Footprint: footprint,
	Moves:     moves,
	Apply:     apply,

	KeepsPlaces: true,
})

// reference names the mark of a watermark, or the side-car of the detection whose boxes are hidden.
func reference(r *imageflowv1.FilterRequest, before processors.Names) (object *imageflowv1.ImageData, field string) {
	if mark := markObject(r); mark != nil {
		return mark, markField
	}
	return functions.SideCarOf(r.GetRedaction(), redactionField, before)
}

// describes returns the images of a detection. One with frames numbers those of the file, whichever page is the
// first. A mark describes no image.
func describes(r *imageflowv1.FilterRequest, reference []byte) []*imageflowv1.ImageData {
	if r.GetRedaction() == nil {
		return nil
	}
	images, hasFrames := functions.DescribedBy(reference)
	for _, i := range images {
		if hasFrames {
			i.Page = r.GetInputImage().GetPage()
		}
	}
	return images
}

func footprint(r *imageflowv1.FilterRequest, in functions.Input) int64 {
	if r.GetIntensity() == 0 && r.GetRedaction() == nil {
		return in.Image.ConvertFootprint(in.Format)
	}
	return in.Image.Footprint(in.Format) + markFootprint(r, in) + redactionFootprint(r, in)
}

// parameter is a setting other than the intensity: its range [min, max] and its default.
type parameter struct{ min, max, byDefault float64 }

// settings are the values of a filter's parameters, and other values that it reports.
type settings map[string]float64

// filter is one filter: the range of its intensity, its parameters and its function.
type filter struct {
	min, max   float64 // of the intensity
	parameters map[string]parameter
	// sigma derives the setting "sigma", the standard deviation of a Gaussian in
	// pixels, from the intensity; nil means that sigma is a parameter or not used.
	sigma func(width, height int, intensity float64) float64
	// change changes the image in place. Its only error is the context's. Watermarks and redactions have none.
	change func(ctx context.Context, r imaging.Raster, intensity float64, s settings) error
}

// The parameters of the contract.
var (
	sigmaParameter = map[string]parameter{"sigma": {0.5, 3, 1}}
	pivotParameter = map[string]parameter{"pivot": {0, 1, 0.5}}
)

// filters are the filters of the contract.
var filters = map[imageflowv1.FilterType]filter{
	imageflowv1.FilterType_FILTER_TYPE_BLUR:       {max: 10, change: blur, sigma: relativeSigma},
	imageflowv1.FilterType_FILTER_TYPE_GAUSSIAN:   {max: maxSigma, change: blur, sigma: absoluteSigma},
	imageflowv1.FilterType_FILTER_TYPE_SHARPEN:    {max: 10, change: sharpen, parameters: sigmaParameter},
	imageflowv1.FilterType_FILTER_TYPE_BRIGHTNESS: {min: -1, max: 1, change: brightness},
	imageflowv1.FilterType_FILTER_TYPE_CONTRAST:   {min: -1, max: 4, change: contrast, parameters: pivotParameter},
	imageflowv1.FilterType_FILTER_TYPE_SATURATION: {min: -1, max: 4, change: saturation},
	imageflowv1.FilterType_FILTER_TYPE_WATERMARK:  {max: 1},
	imageflowv1.FilterType_FILTER_TYPE_PIXELATE:   {},
	imageflowv1.FilterType_FILTER_TYPE_FILL:       {},
}

// maxSigma is the maximum of the contract, in pixels. A larger one would hide everything.
const maxSigma = 20

// relativeSigma makes the blur look the same at any size of the image.
func relativeSigma(width, height int, intensity float64) float64 {
	return math.Min(maxSigma, intensity*float64(max(width, height))/400)
}

func absoluteSigma(_, _ int, intensity float64) float64 { return intensity }

func check(r *imageflowv1.FilterRequest) error {
	f := filters[r.GetFilterType()]
	if v := float64(r.GetIntensity()); !(v >= f.min && v <= f.max) { // also true for NaN
		return functions.Errorf(functions.Invalid, "intensity", "%g is outside [%g, %g] of %s", v, f.min, f.max, r.GetFilterType())
	}
	if err := checkMark(r); err != nil {
		return err
	}
	if err := checkRedaction(r); err != nil {
		return err
	}
	_, err := f.read(r)
	return err
}

// read returns the settings of a request, with defaults.
func (f filter) read(r *imageflowv1.FilterRequest) (settings, error) {
	s := settings{}
	for name, p := range f.parameters {
		s[name] = p.byDefault
	}
	for name, text := range r.GetParameters() {
		p, ok := f.parameters[name]
		if !ok {
			return nil, functions.Errorf(functions.Invalid, "parameters", "%s has no parameter %q; it has %q",
				r.GetFilterType(), name, slices.Sorted(maps.Keys(f.parameters)))
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v >= p.min && v <= p.max) { // also true for NaN
			return nil, functions.Errorf(functions.Invalid, "parameters",
				"%s is %q but must be a number in [%g, %g]", name, text, p.min, p.max)
		}
		s[name] = v
	}
	return s, nil
}

func apply(ctx context.Context, r *imageflowv1.FilterRequest, in functions.Input) (
	imaging.Encoded, *imageflowv1.FilterResponse, error,
) {
	f := filters[r.GetFilterType()]
	s, err := f.read(r)
	if err != nil {
		return imaging.Encoded{}, nil, err
	}
	metadata := &imageflowv1.FilterMetadata{
		FilterType: r.GetFilterType(), Intensity: r.GetIntensity(), AppliedParameters: map[string]string{},
	}
	resp := &imageflowv1.FilterResponse{Result: &imageflowv1.ProcessingResult{}, Metadata: metadata}
	if r.GetRedaction() != nil {
		out, err := redact(ctx, r, in, metadata)
		return out, resp, err
	}
	intensity := float64(r.GetIntensity())
	if intensity == 0 { // no setting has an effect
		out, err := in.Image.Convert(ctx, in.Format)
		return out, resp, err
	}
	if f.sigma != nil {
		width, height := in.Image.Size()
		s["sigma"] = f.sigma(width, height, intensity)
	}
	out, err := f.apply(ctx, r, in, s)
	for name, value := range s {
		metadata.AppliedParameters[name] = strconv.FormatFloat(value, 'g', 6, 64)
	}
	return out, resp, err
}

func (f filter) apply(
	ctx context.Context, r *imageflowv1.FilterRequest, in functions.Input, s settings,
) (imaging.Encoded, error) {
	if f.change == nil {
		return watermark(ctx, r, in, s)
	}
	if in.Image.Moves(in.Format) {
		return in.Image.Animate(ctx, in.Format, func(ctx context.Context, frame *imaging.Image) (*imaging.Pixels, error) {
			p, err := frame.Pixels(ctx)
			if err != nil {
				return nil, err
			}
			return p, f.change(ctx, p, float64(r.GetIntensity()), s)
		})
	}
	raster, err := in.Raster(ctx)
	if err != nil {
		return imaging.Encoded{}, err
	}
	if err := f.change(ctx, raster, float64(r.GetIntensity()), s); err != nil {
		return imaging.Encoded{}, err
	}
	within, encoded := in.Stage(ctx, "encode")
	defer encoded()
	return raster.Encode(within, in.Format)
}

package resize

import (
	"context"
	"image"
	"image/color"
	"math"
	"strconv"
	"strings"

	"imageflow.dev/functions"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// crop returns the part of an image that a field crops it to, which is all of it for nil.
func crop(of size, c *imageflowv1.Crop, field string) (image.Rectangle, error) {
	all := image.Rect(0, 0, of.width, of.height)
	if c == nil {
		return all, nil
	}
	unitX, unitY := 1.0, 1.0
	if c.GetFractions() {
		unitX, unitY = float64(of.width), float64(of.height)
	}
	left, width := edges(c.GetLeft()*unitX, c.GetWidth()*unitX, of.width)
	top, height := edges(c.GetTop()*unitY, c.GetHeight()*unitY, of.height)
	part := image.Rect(left, top, left+width, top+height)
	if !part.In(all) {
		return all, functions.Errorf(functions.Invalid, field,
			"it reaches beyond the image, which has %d×%d pixels", of.width, of.height)
	}
	return part, nil
}

// edges rounds the edges of a crop along a side with this number of pixels.
func edges(begin, length float64, pixels int) (first, n int) {
	beyond := float64(pixels) + 1 // an int has room for it
	first = int(math.Round(min(begin, beyond)))
	end := int(math.Round(min(begin+length, beyond)))
	if end == first { // less than a pixel
		first = int(min(begin, beyond))
		end = first + 1
	}
	return first, end - first
}

// cropped returns the part of the upright image that the request's crop and object_crop leave.
func cropped(r *imageflowv1.ResizeRequest, in functions.Input) (image.Rectangle, error) {
	part, objects, err := selected(r, in)
	if err != nil || len(objects) == 0 {
		return part, err
	}
	return around(objects, r.GetObjectCrop(), part), nil
}

// defaultTolerance is stated in the contract.
const defaultTolerance = 10

// trimmed returns the part of the upright image that cropped and the request's trim leave.
func trimmed(ctx context.Context, r *imageflowv1.ResizeRequest, in functions.Input) (image.Rectangle, error) {
	part, err := cropped(r, in)
	trim := r.GetTrim()
	if err != nil || trim == nil {
		return part, err
	}
	tolerance := defaultTolerance
	if trim.Tolerance != nil {
		tolerance = int(trim.GetTolerance())
	}
	var colour color.Color
	if hex := strings.TrimPrefix(trim.GetColor(), "#"); hex != "" {
		rgb, err := strconv.ParseUint(hex, 16, 24)
		if err != nil {
			return part, functions.Errorf(functions.Invalid, "trim.color", "%q is not a colour such as ffcc00", trim.GetColor())
		}
		colour = color.RGBA{uint8(rgb >> 16), uint8(rgb >> 8), uint8(rgb), 255}
	}
	return in.Image.Trim(ctx, part, colour, tolerance)
}

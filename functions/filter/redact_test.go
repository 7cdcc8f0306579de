package filter_test

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	pixelate = imageflowv1.FilterType_FILTER_TYPE_PIXELATE
	fill     = imageflowv1.FilterType_FILTER_TYPE_FILL
	ellipse  = imageflowv1.RedactionShape_REDACTION_SHAPE_ELLIPSE
)

func boxOf(r image.Rectangle) *imageflowv1.BoundingBox {
	return &imageflowv1.BoundingBox{
		X1: float32(r.Min.X), Y1: float32(r.Min.Y), X2: float32(r.Max.X), Y2: float32(r.Max.Y),
	}
}

func redacting(t imageflowv1.FilterType, r *imageflowv1.Redaction) *request {
	return &request{FilterType: t, Redaction: r}
}

// isInEllipse reports whether a pixel has its centre in the ellipse inside a rectangle.
func isInEllipse(at image.Point, r image.Rectangle) bool {
	u := float64(2*at.X+1-r.Min.X-r.Max.X) / float64(r.Dx())
	v := float64(2*at.Y+1-r.Min.Y-r.Max.Y) / float64(r.Dy())
	return u*u+v*v <= 1
}

// Images that differ only inside cells become equal.
func TestRedaction_keepsMeansOnly(t *testing.T) {
	const cell = 8
	region := image.Rect(16, 8, 16+4*cell, 8+4*cell)
	a, b := noise(64, 64, true), noise(64, 64, true)
	for y := region.Min.Y; y < region.Max.Y; y++ {
		for x := region.Min.X; x < region.Max.X; x++ { // mirrored in its cell
			from := image.Pt(x/cell*cell+cell-1-x%cell, y/cell*cell+cell-1-y%cell)
			b.SetNRGBA(x, y, a.NRGBAAt(from.X, from.Y))
		}
	}
	for _, kind := range []imageflowv1.FilterType{pixelate, blur, fill} {
		r := &imageflowv1.Redaction{Boxes: []*imageflowv1.BoundingBox{boxOf(region)}}
		if !bytes.Equal(filtered(t, a, redacting(kind, r)).Pix, filtered(t, b, redacting(kind, r)).Pix) {
			t.Errorf("%s shows more than the means of cells", kind)
		}
	}
}

// A redacted JPEG hides the region and has no metadata that could contain the original.
func TestRedaction_jpeg(t *testing.T) {
	in := noise(128, 96, true)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, in, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	region := image.Rect(37, 21, 85, 70)
	out, resp := apply(t, open(t, b.Bytes()), redacting(fill, &imageflowv1.Redaction{
		Boxes: []*imageflowv1.BoundingBox{boxOf(region)}, Color: "20c040",
	}))
	got, err := jpeg.Decode(bytes.NewReader(out.Data))
	if err != nil {
		t.Fatal(err)
	}
	inner := region.Inset(2) // samples of colour at the edge are shared with pixels outside
	for y := inner.Min.Y; y < inner.Max.Y; y++ {
		for x := inner.Min.X; x < inner.Max.X; x++ {
			r, g, b, _ := got.At(x, y).RGBA()
			if far(r>>8, 0x20) || far(g>>8, 0xc0) || far(b>>8, 0x40) {
				t.Fatalf("pixel %d, %d is %d %d %d", x, y, r>>8, g>>8, b>>8)
			}
		}
	}
	if list := resp.GetMetadata().GetRedacted(); len(list) != 1 || list[0].GetX1() != 37 || list[0].GetY2() != 70 {
		t.Errorf("redacted: %v", list)
	}
	if bytes.Contains(out.Data, []byte("Exif")) {
		t.Error("the output has EXIF")
	}
}

// No colour of a hidden pixel remains in a JPEG, also not at edges that share samples of colour.
func TestRedaction_leavesNoColour(t *testing.T) {
	region := image.Rect(17, 17, 41, 41)
	var files [][]byte
	for _, secret := range []color.NRGBA{{255, 0, 0, 255}, {0, 0, 255, 255}} {
		m := flat(64, 64, color.NRGBA{128, 128, 128, 255})
		draw.Draw(m, region, image.NewUniform(secret), image.Point{}, draw.Src)
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
			t.Fatal(err)
		}
		out, _ := apply(t, open(t, b.Bytes()), redacting(fill, &imageflowv1.Redaction{
			Boxes: []*imageflowv1.BoundingBox{boxOf(region)},
		}))
		files = append(files, out.Data)
	}
	a, err := jpeg.Decode(bytes.NewReader(files[0]))
	if err != nil {
		t.Fatal(err)
	}
	b, err := jpeg.Decode(bytes.NewReader(files[1]))
	if err != nil {
		t.Fatal(err)
	}
	for y := region.Min.Y; y < region.Max.Y; y++ {
		for x := region.Min.X; x < region.Max.X; x++ {
			ar, ag, ab, _ := a.At(x, y).RGBA()
			br, bg, bb, _ := b.At(x, y).RGBA()
			if max(ar, br)-min(ar, br) > 8<<8 || max(ag, bg)-min(ag, bg) > 8<<8 || max(ab, bb)-min(ab, bb) > 8<<8 {
				t.Fatalf("pixel %d, %d shows which colour was hidden: %v, %v", x, y, a.At(x, y), b.At(x, y))
			}
		}
	}
}

// far reports whether a colour is not the expected one in a JPEG, near edges of noise.
func far(got, want uint32) bool { return max(got, want)-min(got, want) > 60 }

// turned is the map of an image that was turned and halved.
var turned = &imageflowv1.AffineMap{Xy: 2, Yx: -2, Y0: 80}

// placements are the regions in an image of 40 × 60 pixels that follow from the detection of a face
// (class 0) at 10, 20 to 30, 40 and a plate (class 1) at 50, 4 to 70, 8.
var placements = map[string]struct {
	metadata *imageflowv1.DetectionMetadata
	classes  []string
	margin   float64
	want     []image.Rectangle
}{
	"in the same image": {
		metadata: &imageflowv1.DetectionMetadata{ImageWidth: 40, ImageHeight: 60},
		want:     []image.Rectangle{image.Rect(10, 20, 30, 40)},
	},
	"from the original": {
		metadata: &imageflowv1.DetectionMetadata{ImageWidth: 40, ImageHeight: 60, OriginalFromImage: turned,
			OriginalWidth: 120, OriginalHeight: 80},
		want: []image.Rectangle{image.Rect(20, 5, 30, 15), image.Rect(36, 25, 38, 35)},
	},
	"in the original, of a class by its number, with a margin": {
		metadata: &imageflowv1.DetectionMetadata{ImageWidth: 20, ImageHeight: 20, OriginalFromImage: turned,
			OriginalWidth: 40, OriginalHeight: 60},
		classes: []string{"0", "cat"}, margin: 0.1,
		want: []image.Rectangle{image.Rect(8, 18, 32, 42)},
	},
	"of no class": {
		metadata: &imageflowv1.DetectionMetadata{ImageWidth: 40, ImageHeight: 60}, classes: []string{"cat"},
	},
}

func TestRedaction_ofDetections(t *testing.T) {
	all := []*imageflowv1.Detection{
		{ClassName: "face", Bbox: boxOf(image.Rect(10, 20, 30, 40))},
		{ClassName: "plate", ClassId: 1, Bbox: boxOf(image.Rect(50, 4, 70, 8))},
	}
	for name, c := range placements {
		sideCar, err := protojson.Marshal(&imageflowv1.DetectionResponse{Detections: all, Metadata: c.metadata})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := redactWith(t, redacting(fill, &imageflowv1.Redaction{
			Detections: &imageflowv1.ImageData{ObjectKey: "x.json"}, Classes: c.classes, Margin: c.margin,
		}), sideCar)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []image.Rectangle
		for _, b := range resp.GetMetadata().GetRedacted() {
			got = append(got, image.Rect(int(b.GetX1()), int(b.GetY1()), int(b.GetX2()), int(b.GetY2())))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: hidden %v, want %v", name, got, c.want)
		}
	}
}

// redactWith applies a request to an image of 40 × 60 pixels and a side-car.
func redactWith(t *testing.T, r *request, sideCar []byte) (*imageflowv1.FilterResponse, error) {
	t.Helper()
	if err := filter.Processor.Check(r); err != nil {
		return nil, err
	}
	m := open(t, encodedPNG(t, noise(40, 60, true)))
	_, resp, err := filter.Processor.Apply(t.Context(), r, functions.Input{Image: m, Format: m.Format, Reference: sideCar})
	if err != nil {
		return nil, err
	}
	return resp.(*imageflowv1.FilterResponse), nil
}

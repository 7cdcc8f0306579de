package resize

import (
	"cmp"

	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// split returns the requests of the outputs of a request.
func split(r *imageflowv1.ResizeRequest) []*imageflowv1.ResizeRequest {
	if len(r.GetRenditions()) == 0 {
		return []*imageflowv1.ResizeRequest{r}
	}
	all := []*imageflowv1.ResizeRequest{without(r)}
	for _, one := range r.GetRenditions() {
		all = append(all, requestOf(r, one))
	}
	return all
}

// without returns the request of the main output. It shares the parts of r.
func without(r *imageflowv1.ResizeRequest) *imageflowv1.ResizeRequest {
	main := &imageflowv1.ResizeRequest{}
	r.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		main.ProtoReflect().Set(field, value)
		return true
	})
	main.Renditions = nil
	return main
}

// requestOf returns the request of a rendition by the rules of the contract.
func requestOf(r *imageflowv1.ResizeRequest, one *imageflowv1.Rendition) *imageflowv1.ResizeRequest {
	req := without(r)
	req.Variant, req.TargetWidth, req.TargetHeight = one.GetVariant(), one.GetTargetWidth(), one.GetTargetHeight()
	if one.GetFit() != 0 {
		req.Fit, req.Gravity, req.MaintainAspectRatio = one.GetFit(), one.GetGravity(), false
	} else if one.GetGravity() != 0 {
		req.Gravity = one.GetGravity()
	}
	if req.GetFit() != imageflowv1.Fit_FIT_COVER || one.GetGravity() != 0 {
		req.FocalPoint = nil
	}
	if req.GetGravity() != imageflowv1.Gravity_GRAVITY_OBJECTS && req.GetObjectCrop() == 0 {
		req.Objects = nil
	}
	if one.Encoding != nil || one.GetContentType() != "" {
		req.Encoding = one.GetEncoding()
	}
	out := &imageflowv1.ImageData{
		Bucket:      r.GetOutputImage().GetBucket(),
		ContentType: cmp.Or(one.GetContentType(), r.GetOutputImage().GetContentType()),
	}
	if req.OutputImage = out; out.GetBucket() == "" && out.GetContentType() == "" {
		req.OutputImage = nil
	}
	return req
}

// share returns the sharing of the outputs of valid requests. Outputs whose plan fails are left out: Apply returns the
// error.
func share(requests []*imageflowv1.ResizeRequest, inputs []functions.Input) *imaging.Share {
	s := &imaging.Share{}
	for i, r := range requests {
		in := inputs[i]
		part, err := cropped(r, in)
		if err != nil {
			continue
		}
		p, err := newPlan(in.Image.Header, part, r)
		if err != nil {
			continue
		}
		window, width, height := p.visible(), p.shown.Dx(), p.shown.Dy()
		if p.angle != 0 {
			by := p.rotation()
			window, width, height = by.source, by.width, by.height
		}
		if r.GetTrim() != nil { // which may leave a small part, and so needs all pixels of the image
			window, width, height = p.window, int(max(1, p.window.Width)), int(max(1, p.window.Height))
		}
		s.Serve(in.Image.Turned(p.quarters, p.mirrored), window, width, height, qualities[r.GetQuality()].quality, in.Format)
	}
	return s
}

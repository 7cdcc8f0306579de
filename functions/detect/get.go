package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Get describes one model: how it was understood, or why it is refused. An empty name means the
// default model.
func (s *Models) Get(ctx context.Context, req *imageflowv1.GetModelRequest) (*imageflowv1.GetModelResponse, error) {
	name := cmp.Or(req.GetName(), s.defaultModel)
	m, err := s.model(ctx, name, req.GetVersion())
	if errors.Is(err, inference.ErrNotFound) {
		return nil, functions.Errorf(functions.NotFound, "name", "no model %.64q", name)
	}
	if errors.Is(err, inference.ErrNoVersion) {
		return nil, functions.Errorf(functions.NotFound, "version", "%v", err)
	}
	listings, err := s.repository.List(ctx)
	if err != nil {
		return nil, kindError(err)
	}
	l := inference.Listing{Name: name} // a server may not list a model that it has
	if i := slices.IndexFunc(listings, func(l inference.Listing) bool { return l.Name == name }); i >= 0 {
		l = listings[i]
	}
	listed, err := s.listed(ctx, l, req.GetVersion())
	if err != nil {
		return nil, kindError(err)
	}
	listed.Default = name == s.defaultModel
	resp := &imageflowv1.GetModelResponse{Model: listed}
	if m == nil || !listed.GetReady() {
		return resp, nil
	}
	m.describe(resp)
	if req.GetTrial() {
		resp.Trial, err = s.trial(ctx, name, req.GetVersion())
	}
	return resp, err
}

// describe adds how the model was understood.
func (m *model) describe(resp *imageflowv1.GetModelResponse) {
	info := m.Info()
	resp.LayoutReason, resp.IncludesNms, resp.Digest = m.why, m.layout.endToEnd && !m.classifies(), info.Digest
	for _, in := range info.Inputs {
		resp.Inputs = append(resp.Inputs, &imageflowv1.ModelTensor{Name: in.Name, Type: string(in.Type), Shape: in.Shape})
	}
	for i, name := range info.OutputNames {
		resp.Outputs = append(resp.Outputs, &imageflowv1.ModelTensor{
			Name: name, Type: string(info.OutputTypes[i]), Shape: info.Outputs[i],
		})
	}
	resp.Preprocessing = &imageflowv1.ModelPreprocessing{
		ChannelOrder: "rgb", PixelRange: m.white, Interpolation: m.interpolation(),
	}
	if m.bgr {
		resp.Preprocessing.ChannelOrder = "bgr"
	}
	if m.std != [3]float32{} {
		resp.Preprocessing.Mean, resp.Preprocessing.Std = m.mean[:], m.std[:]
	}
	switch {
	case m.classifies():
		resp.Notes = append(resp.Notes, "it classifies whole images, and finds no boxes")
	case m.furtherValues > 0 && !m.layout.hasFurther():
		resp.Notes = append(resp.Notes, "it also finds masks or keypoints, which are not read in this layout")
	case m.keypoints.count > 0:
		resp.Notes = append(resp.Notes, fmt.Sprintf("it also finds %d keypoints of each object", m.keypoints.count))
	case m.furtherValues > 0:
		resp.Notes = append(resp.Notes, "it also finds masks, which the field masks of a request returns")
	}
	if hasNMS(info.Metadata) {
		resp.Notes = append(resp.Notes, bakedThresholds(info.Metadata["args"]))
	}
}

// bakedThreshold matches a threshold in the arguments of an export, a Python dict.
var bakedThreshold = regexp.MustCompile(`'(conf|iou)': ([0-9.]+)`)

// bakedThresholds says which thresholds an export with non-maximum suppression has. Exports that
// do not say so usually have the defaults of Ultralytics.
func bakedThresholds(args string) string {
	values := map[string]string{"conf": "usually 0.25", "iou": "usually 0.7"}
	for _, m := range bakedThreshold.FindAllStringSubmatch(args, -1) {
		values[m[1]] = m[2]
	}
	return fmt.Sprintf("the export includes non-maximum suppression: a confidence_threshold below its own (%s) finds nothing more, "+
		"and nms_threshold has no effect (it has %s); export with conf=0.01 for lower ones", values["conf"], values["iou"])
}

// trial runs a model on the reference image and draws its boxes. It rejects calls during another
// one, because no queue bounds them.
func (s *Models) trial(ctx context.Context, name, version string) (*imageflowv1.ModelTrial, error) {
	if !s.trials.TryLock() {
		return nil, functions.Errorf(functions.Busy, "trial", "another trial is running")
	}
	defer s.trials.Unlock()
	reference, err := openReference()
	if err != nil {
		return nil, err
	}
	r := &imageflowv1.DetectionRequest{ModelName: name, ModelVersion: version, DrawBoxes: true}
	out, resp, err := s.apply(ctx, r, functions.Input{Image: reference, Format: imaging.JPEG})
	if err != nil {
		return nil, err
	}
	return &imageflowv1.ModelTrial{
		Image: out.Data, ContentType: imaging.JPEG.MediaType(), Detections: resp.GetDetections(),
	}, nil
}

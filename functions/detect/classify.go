package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"imageflow.dev/functions"
	"imageflow.dev/internal/inference"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// defaultTop is the number of classes in a response by default.
const defaultTop = 5

// maxSumError is by how much the sum of probabilities may differ from 1, because of float16.
const maxSumError = 0.02

// classifies reports whether the model has a probability for each class of the whole image instead of boxes.
func (d *description) classifies() bool { return d.layout.task == classifyTask }

// chooseActivation finds out whether the outputs of a trial run are probabilities or logits, which need the
// softmax.
func (l *layout) chooseActivation(outputs []inference.Tensor, metadata map[string]string) error {
	of := parameters{values: metadata}
	activation := of.choice(activationKey, "none", "softmax")
	if of.err != nil {
		return of.err
	}
	values := outputs[0].Data
	low, high, sum := slices.Min(values), slices.Max(values), sumOf(values)
	switch {
	case math.IsNaN(sum) || math.IsInf(sum, 0):
		return errors.New("its output has values that are no numbers")
	case activation != "":
		l.softmax = activation == "softmax"
	case l.softmax: // from an earlier run
	case low < 0 || high > 1+maxSumError:
		l.softmax = true
	case math.Abs(sum-1) > maxSumError:
		return fmt.Errorf("its output has values from %.3g to %.3g with the sum %.3g, which are neither probabilities nor "+
			"clearly logits: the parameter %s in config.pbtxt must be none or softmax", low, high, sum, activationKey)
	}
	return nil
}

// checkProbabilities refuses outputs of a trial run that are of another kind than the outputs of an earlier one.
func (d *description) checkProbabilities(outputs []inference.Tensor, metadata map[string]string) error {
	l := d.layout
	if err := l.chooseActivation(outputs, metadata); err != nil || l.softmax == d.layout.softmax {
		return err
	}
	return fmt.Errorf("its output is a probability for some images only: the parameter %s in config.pbtxt must be none or softmax",
		activationKey)
}

// probabilities returns the probabilities of the classes.
func (l *layout) probabilities(values []float32) []float32 {
	if !l.softmax {
		return values
	}
	all := slices.Clone(values)
	highest := slices.Max(values)
	for i, v := range all {
		all[i] = exp(v - highest)
	}
	sum := float32(sumOf(all))
	for i := range all {
		all[i] /= sum
	}
	return all
}

func sumOf(values []float32) (sum float64) {
	for _, v := range values {
		sum += float64(v)
	}
	return sum
}

// checkWhole rejects the fields of a request that have no meaning for the class of a whole image.
func (m *model) checkWhole(r *imageflowv1.DetectionRequest) error {
	for field, set := range map[string]bool{
		"frames": r.GetFrames() > 0, "tiles": r.GetTiles() != nil, "crops": r.GetCrops() != nil, masksField: len(r.GetMasks()) > 0,
		"regions": len(r.GetRegions()) > 0, "min_size": r.GetMinSize() > 0, "agnostic_nms": r.GetAgnosticNms(),
	} {
		if set {
			return functions.Errorf(functions.Invalid, field, "the model %q classifies the whole image: leave it out", m.Info().Name)
		}
	}
	return nil
}

// classify returns the most probable classes of the image as boxes without a place, and sets the times and
// the thresholds of the metadata.
func (m *model) classify(
	ctx context.Context, r *imageflowv1.DetectionRequest, in functions.Input, metadata *imageflowv1.DetectionMetadata,
) ([]*imageflowv1.Classification, error) {
	if err := m.checkWhole(r); err != nil {
		return nil, err
	}
	s := &selection{lowest: r.GetConfidenceThreshold(), limit: int(cmp.Or(r.GetMaxDetections(), defaultTop))}
	if err := s.selectClasses(r, m); err != nil {
		return nil, err
	}
	metadata.ConfidenceThreshold, metadata.NmsThreshold = r.GetConfidenceThreshold(), 0
	probabilities, err := m.inferClasses(ctx, in, metadata)
	if err != nil {
		return nil, err
	}
	var all []box
	for class, p := range probabilities {
		if p >= s.lowest {
			all = append(all, box{class: class, confidence: p})
		}
	}
	all = s.candidates(all)
	slices.SortStableFunc(all, func(a, b box) int { return cmp.Compare(b.confidence, a.confidence) })
	var found []*imageflowv1.Classification
	for _, c := range all[:min(len(all), s.limit)] {
		found = append(found, &imageflowv1.Classification{
			ClassName: m.names[c.class], ClassId: int32(c.class), Confidence: c.confidence,
		})
	}
	return found, nil
}

// inferClasses runs the model on an image and returns the probabilities of the classes.
func (m *model) inferClasses(
	ctx context.Context, in functions.Input, metadata *imageflowv1.DetectionMetadata,
) (probabilities []float32, err error) {
	metadata.InferenceTimeMs = 0
	err = m.inferImage(ctx, in, metadata, func(_ context.Context, outputs []inference.Tensor, as seen) error {
		if _, ok := as.layout.canRead(outputs, as.description); !ok {
			return fmt.Errorf("the model has the %s, which is not of its layout %s", as.listOutputs(outputs), as.layout.name)
		}
		probabilities = slices.Clone(as.layout.probabilities(outputs[0].Data))
		return nil
	})
	return probabilities, err
}

package detect

import (
	"context"
	_ "embed"
	"fmt"
	"math/rand/v2"

	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
)

// referenceJPEG is the image of the trial: a held-out scene of the demo model at half its size.
//
//go:embed reference.jpg
var referenceJPEG []byte

// openReference returns the image of the trial.
func openReference() (*imaging.Image, error) {
	return imaging.Open(referenceJPEG, imaging.Limits{MaxSide: maxSide, MaxPixels: maxSide * maxSide})
}

// runTrial runs the model on noise, to choose the layout, and on the reference image, to check
// it. Many files do not declare the shapes of their outputs, so runs are the only way to know.
func (m *model) runTrial(ctx context.Context) error {
	metadata := m.Info().Metadata
	err := m.Infer(ctx, m.inputs(m.noise()), func(outputs []inference.Tensor) (err error) {
		outputs = m.first(outputs)
		if err = m.findFurtherValues(outputs); err != nil {
			return err
		}
		if m.choice, err = chooseReading(outputs, metadata, &m.description); err != nil {
			return err
		}
		return m.checkTrial(outputs, metadata)
	})
	if err != nil {
		return err
	}
	if m.preprocessing, err = preprocess(m.layout.input, m.imageType, metadata); err != nil {
		return err
	}
	if err := m.checkRectangular(ctx); err != nil {
		return err
	}
	reference, err := openReference()
	if err != nil {
		return err
	}
	input, sized, _, err := m.input(ctx, reference)
	if err != nil {
		return err
	}
	defer m.release(input)
	return m.Infer(ctx, sized.inputs(input.numbers), func(outputs []inference.Tensor) error {
		return sized.checkTrial(sized.first(outputs), metadata)
	})
}

// checkTrial refuses a model whose outputs are certainly misunderstood.
func (d *description) checkTrial(outputs []inference.Tensor, metadata map[string]string) error {
	if _, ok := d.layout.canRead(outputs, d); !ok {
		return fmt.Errorf("its %s is not of its layout %s", d.listOutputs(outputs), d.layout.name)
	}
	if d.classifies() {
		return d.checkProbabilities(outputs, metadata)
	}
	t := d.layout.try(outputs, d)
	switch {
	case t.classes > len(d.names):
		return fmt.Errorf("it found class %d in a trial, but names has only %d classes: names must list all, starting at 0",
			t.classes-1, len(d.names))
	case d.checked && t.isImplausible():
		return d.implausible(outputs, d.layout.name)
	}
	return nil
}

// noise returns the input for an image of equally distributed values, always the same. The
// preprocessing is not known yet, so they are in [0, 1), or in 0 … 255 for bytes.
func (d *description) noise() []float32 {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // nothing to guess
	n, white := d.channels*d.width*d.height, float32(1)
	if d.imageType == inference.Uint8 {
		white = 255
	}
	numbers := make([]float32, d.batch*n)
	for i := range n {
		numbers[i] = white * random.Float32()
	}
	return numbers
}

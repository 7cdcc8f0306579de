package detect

import (
	"context"
	"errors"
	"strings"
	"sync"

	"imageflow.dev/internal/inference"
)

// model is a model of a repository and its description.
type model struct {
	inference.Model
	description
}

// description is how to prepare the input of a model and read its output.
type description struct {
	preprocessing
	choice
	shape
	names     []string              // of the classes
	kinds     []inputKind           // of the inputs of the model
	imageType inference.ElementType // of the image input
	// outputNames and outputs are the names and shapes of the outputs in the model file.
	outputNames []string
	outputs     [][]int64
	// task is the one in the metadata, such as pose.
	task string
	// furtherValues is the number of values of each box after its classes.
	furtherValues int64
	keypoints     keypointShape
	pool          *sync.Pool // of *tensor
}

// Accept returns an error unless detection can use the model. A repository of
// files calls it before it replaces a model; see inference.Options.
func Accept(ctx context.Context, m inference.Model) error {
	_, err := describe(ctx, m)
	return err
}

// describe finds out how to use a model: from its metadata, as Ultralytics exports
// have it, from its parameters, and from two runs. This also warms it up.
func describe(ctx context.Context, m inference.Model) (*model, error) {
	info := m.Info()
	d := description{names: parseNames(info.Metadata["names"]), outputNames: info.OutputNames, outputs: info.Outputs}
	if len(d.names) == 0 {
		d.names = info.Labels
	}
	if len(d.names) == 0 {
		return nil, errors.New("its classes are unknown: the metadata or the parameter names must list all, starting at 0, " +
			"as in {0: 'cat', 1: 'dog'}, or labels.txt, one per line")
	}
	for i, name := range d.names {
		d.names[i] = strings.ToValidUTF8(name, "\uFFFD") // labels.txt may have another encoding
	}
	if err := d.setInputs(info); err != nil {
		return nil, err
	}
	described := &model{m, d}
	if err := described.runTrial(ctx); err != nil {
		return nil, err
	}
	return described, nil
}

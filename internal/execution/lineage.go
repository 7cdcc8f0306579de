package execution

import (
	"context"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/processors"
)

// FindSteps sets the id, the source and the finished steps of the execution that began with this version of an upload.
// If last are outputs that lead back to the upload, the steps are those that led to them. Otherwise the steps are those of
// all outputs, from a listing, which takes MinIO the longer the more objects the folder has.
func (e *Execution) FindSteps(ctx context.Context, store *objects.Store, upload objects.Info, last []objects.Info) error {
	e.ID, e.Bucket, e.Source = ID(upload.Key), upload.Bucket, &upload
	outputs, err := e.lineage(ctx, store, last)
	if len(outputs) == 0 && err == nil {
		outputs, err = e.outputs(ctx, store)
	}
	e.Steps = steps(e.Source, outputs)
	return err
}

// lineage returns the outputs, those that they were made from back to the source, and the side-cars. It returns none if
// an output has been replaced, does not say what it was made from, or was not the only one of its job.
func (e *Execution) lineage(ctx context.Context, store *objects.Store, outputs []objects.Info) ([]objects.Info, error) {
	var found []objects.Info
	taken := map[string]bool{}
	for i := 0; i < len(outputs); i++ {
		output := outputs[i]
		if taken[output.Key] {
			continue
		}
		taken[output.Key] = true
		if !IsOutput(output, e.ID) || output.Metadata[OutputsMetadata] != "" {
			return nil, nil
		}
		found = append(found, output)
		if p, _ := processors.Named(output.Metadata[StepMetadata]); p.HasSideCar {
			sideCar, err := store.Stat(ctx, e.Bucket, stem(output.Key)+".json")
			if err != nil || !IsOutput(sideCar, e.ID) {
				return nil, unlessMissing(err)
			}
			found = append(found, sideCar)
		}
		end, isFromOutput := output.Metadata[InputMetadata]
		if !isFromOutput && output.Metadata[SourceMetadata] == e.Source.ETag {
			continue
		}
		if !isFromOutput {
			return nil, nil
		}
		input, err := store.Stat(ctx, e.Bucket, e.ID+end) // whose bytes, and so its ETag, may equal the source's
		if err != nil || input.ETag != output.Metadata[SourceMetadata] {
			return nil, unlessMissing(err)
		}
		outputs = append(outputs, input)
	}
	return found, nil
}

// Package dataset exports the detections in a bucket as a dataset for training: COCO, YOLO, Pascal
// VOC or JSON lines. Memory does not grow with the number of images.
package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"

	"imageflow.dev/internal/objects"
)

// Options configures Export.
type Options struct {
	Store          *objects.Store
	Bucket, Prefix string
	// Format is one of Formats.
	Format string
	// Out is the folder of the dataset. If it is empty, the dataset is written to Stream, which only
	// COCO without Split and JSON lines support.
	Out    string
	Stream io.Writer
	// Overwrite permits to replace a folder that Export wrote.
	Overwrite bool
	// Images copies the images into the folder, and compares their sizes with the side-cars. A dataset of
	// yolo-classify always has them.
	Images bool
	Selection
	// Progress is called after each side-car. Failed is called for each one that is not exported, with
	// its key.
	Progress func(Counts)
	Failed   func(key string, err error)
}

// Counts counts what was read and written.
type Counts struct {
	// Images and Boxes are in the dataset.
	Images, Boxes int
	// Failed is the number of side-cars that are not in the dataset because of an error.
	Failed int
	// OtherModels is the number of side-cars of models that were not selected.
	OtherModels int
	// OutsideBoxes is the number of boxes that do not touch their image and were left out.
	OutsideBoxes int
	// Unclassified is the number of images without a selected class, which yolo-classify leaves out.
	Unclassified int
	// LaterBoxes is the number of boxes in later frames of animations. Only JSON lines have them.
	LaterBoxes int
}

// SideCars returns the number of side-cars read.
func (c Counts) SideCars() int { return c.Images + c.Failed + c.OtherModels + c.Unclassified }

// writer writes the images of a dataset in one format.
type writer interface {
	// image returns the path of the copy of an image in the folder.
	image(i *annotated) string
	// add writes an image. It keeps nothing of it that grows with the number of images.
	add(i *annotated) error
	// finish writes what needs the names of all classes.
	finish(classes classes) error
}

// Formats are the names of the formats.
var Formats = []string{"coco", "yolo", "yolo-classify", "voc", "jsonl"}

// validate checks the options that exclude each other.
func (o *Options) validate() error {
	tree := o.Format != "coco" && o.Format != "jsonl"
	switch {
	case o.Out == "" && tree:
		return fmt.Errorf("%s is a folder of files: name it with --out", o.Format)
	case o.Out == "" && o.Images:
		return errors.New("--images needs a folder: name it with --out")
	case o.Out == "" && o.Format == "coco" && o.Split != (Split{}):
		return errors.New("coco with --split is two files: name their folder with --out")
	}
	return nil
}

// Export writes the dataset. A side-car that cannot be exported is reported and counted; the others
// are exported. After an error there is no dataset, and an existing one is unchanged.
func Export(ctx context.Context, o Options) (Counts, error) {
	if err := o.validate(); err != nil {
		return Counts{}, err
	}
	out := &target{stream: o.Stream}
	if o.Out != "" {
		var err error
		if out, err = newFolder(o.Out, o.Overwrite); err != nil {
			return Counts{}, err
		}
		defer out.discard()
	}
	o.Images = o.Images || o.Format == "yolo-classify"
	e := &exporter{Options: o, out: out, models: models{wanted: o.Model}, classes: classes{}}
	e.writer = newWriter(o, out)
	if err := e.run(ctx); err != nil {
		return e.counts, err
	}
	if err := e.writer.finish(e.classes); err != nil {
		return e.counts, err
	}
	return e.counts, out.commit(e.provenance())
}

func newWriter(o Options, out *target) writer {
	switch o.Format {
	case "coco":
		return newCOCO(out, o.Split != Split{})
	case "yolo":
		return newYOLO(out, o.Split != Split{})
	case "yolo-classify":
		return newYOLOClassify(out, o.Split != Split{})
	case "voc":
		return newVOC(out)
	}
	return &jsonLines{out: out}
}

// exporter is the state of one export.
type exporter struct {
	Options
	out     *target
	writer  writer
	models  models
	classes classes
	counts  Counts
}

// run exports all side-cars. Its errors concern more than one of them.
func (e *exporter) run(ctx context.Context) error {
	for r := range e.read(ctx) {
		err := r.err
		if err == nil {
			err = e.export(r.annotated, r.image)
		}
		var fatal *fatalError
		if errors.As(err, &fatal) {
			return fmt.Errorf("%s: %w", r.key, fatal.error)
		}
		switch {
		case errors.Is(err, errOtherModel):
			e.counts.OtherModels++
		case err != nil:
			e.counts.Failed++
			e.Failed(r.key, err)
		}
		e.Progress(e.counts)
	}
	return context.Cause(ctx)
}

// fatalError is an error that ends the export.
type fatalError struct{ error }

// export writes one image and, if it is not nil, the file.
func (e *exporter) export(i *annotated, file []byte) error {
	if err := e.models.check(i); err != nil {
		return err
	}
	if err := e.checkTask(i); err != nil {
		return err
	}
	e.apply(i)
	if e.Format == "yolo-classify" && len(i.classes) == 0 {
		e.counts.Unclassified++
		return nil
	}
	later := 0
	if e.Format != "jsonl" {
		later = i.removeLaterFrames()
	}
	if err := e.classes.add(i); err != nil {
		return err
	}
	if err := e.write(i, file); err != nil {
		return err
	}
	e.counts.Images++
	e.counts.Boxes += len(i.boxes)
	e.counts.OutsideBoxes += i.outside
	e.counts.LaterBoxes += later
	return nil
}

// checkTask returns an error if the format has no form for what the model finds. For yolo-classify it keeps the
// most probable class only.
func (e *exporter) checkTask(i *annotated) error {
	switch {
	case e.Format == "yolo-classify" && len(i.boxes) > 0:
		return &fatalError{errors.New("the model finds objects, but yolo-classify has classes of whole images:" +
			" export as coco, yolo, voc or jsonl")}
	case e.Format == "yolo-classify":
		i.classes = i.classes[:min(len(i.classes), 1)]
	case e.Format != "jsonl" && len(i.classes) > 0:
		return &fatalError{fmt.Errorf("the model classifies whole images, which %s has no form for:"+
			" export as yolo-classify or jsonl", e.Format)}
	}
	return nil
}

// write copies the file if it is not nil, and writes the annotations.
func (e *exporter) write(i *annotated, file []byte) error {
	if file == nil {
		return e.writer.add(i)
	}
	copied := e.writer.image(i)
	if err := e.out.annotate(copied, file); err != nil {
		return err
	}
	err := e.writer.add(i)
	if err != nil {
		_ = e.out.root.Remove(copied)
	}
	return err
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/dataset"
)

const exportSummary = "writes what models found as a dataset: COCO, YOLO, VOC or JSON lines"

const exportUsage = `Usage: imageflow export --format FORMAT [--prefix PREFIX] [--out FOLDER] [flags]

Writes the detections whose side-cars are under a prefix of the bucket as a
dataset. coco and jsonl are written to the standard output without --out.

  coco    annotations.json, or train.json and val.json with --split; scores included
  yolo    data.yaml, train.txt, val.txt and labels/; images belong at images/KEY
  yolo-classify
          train/CLASS/ and val/CLASS/ with the images, by their most probable class
  voc     Annotations/ and ImageSets/Main/; images belong at JPEGImages/KEY
  jsonl   annotations.jsonl: one line for each image, with all that the model found

Models that classify whole images have no form in coco, yolo and voc, and the
others none in yolo-classify. Keypoints are in coco, yolo and jsonl, masks and
rotated boxes in coco, yolo and jsonl; voc has boxes only.

Boxes are in pixels of the image in which objects were detected or, if the
detection had the side-car of a resize, of the original, after EXIF orientation.
A side-car that cannot be exported is reported, and the command fails at the end.

Flags:
`

// export writes a dataset. It fails if a side-car could not be exported.
func export(ctx context.Context, args []string, out io.Writer) error {
	config := &role.StoreConfig{}
	o, err := parseExport(args, out, config)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := loadEnvironment("export", config); err != nil {
		return err
	}
	if o.Bucket == "" {
		o.Bucket = config.Bucket
	}
	if o.Store, err = config.Open(); err != nil {
		return err
	}
	p := newProgress(os.Stderr)
	o.Stream, o.Failed = out, p.failed
	o.Progress = func(c dataset.Counts) { p.update(func() string { return line(p, c) }) }
	counts, err := dataset.Export(ctx, *o)
	printEnd(p, counts)
	if err == nil && counts.Failed > 0 {
		err = fmt.Errorf("%d of %d side-cars could not be exported; the dataset has the others", counts.Failed, counts.SideCars())
	}
	return err
}

// parseExport parses the command line.
func parseExport(args []string, out io.Writer, config *role.StoreConfig) (*dataset.Options, error) {
	o := &dataset.Options{}
	f := flag.NewFlagSet("imageflow export", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() {
		fmt.Fprint(out, exportUsage)
		f.PrintDefaults()
		fmt.Fprint(out, "\nEnvironment:\n")
		_ = role.Usage(out, config)
	}
	f.StringVar(&o.Format, "format", "", "the `format`: "+strings.Join(dataset.Formats, ", "))
	f.StringVar(&o.Bucket, "bucket", "", "the `bucket` of the side-cars (default MINIO_BUCKET)")
	f.StringVar(&o.Prefix, "prefix", "", "export only side-cars whose keys begin with this `prefix`")
	f.StringVar(&o.Out, "out", "", "the `folder` to create")
	f.BoolVar(&o.Overwrite, "overwrite", false, "replace the folder of an earlier export")
	f.BoolVar(&o.Images, "images", false, "copy the images into the folder, and check that their sizes are those of the side-cars")
	f.StringVar(&o.Model, "model", "", "export only detections of this `model`, NAME or NAME/VERSION (default: the only one)")
	classes := f.String("classes", "", "export only boxes of these classes: comma-separated `names` or numbers")
	confidence := f.Float64("min-confidence", 0, "export only boxes with at least this confidence, in [0, 1]")
	split := f.String("split", "", "divide the images into train and val by a hash of their keys, in this `ratio`, such as 80:20")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; see imageflow export --help", f.Arg(0))
	}
	return o, setSelection(o, *classes, *confidence, *split)
}

// setSelection checks and sets the flags that are no plain values.
func setSelection(o *dataset.Options, classes string, confidence float64, split string) (err error) {
	if !slices.Contains(dataset.Formats, o.Format) {
		return fmt.Errorf("--format is %q but must be one of %s", o.Format, strings.Join(dataset.Formats, ", "))
	}
	if !(confidence >= 0 && confidence <= 1) { // also true for NaN
		return fmt.Errorf("--min-confidence is %v but must be in 0 to 1", confidence)
	}
	o.MinConfidence = float32(confidence)
	if classes != "" {
		o.Classes = strings.Split(classes, ",")
	}
	if split != "" {
		if o.Split, err = dataset.ParseSplit(split); err != nil {
			return fmt.Errorf("--split: %w", err)
		}
	}
	return nil
}

// line returns the counts as text.
func line(p *progress, c dataset.Counts) string {
	return fmt.Sprintf("%d images, %d boxes, %d failed, %.0f/s", c.Images, c.Boxes, c.Failed, p.rate(int64(c.SideCars())))
}

// printEnd prints the counts of a finished export.
func printEnd(p *progress, c dataset.Counts) {
	p.print(line(p, c))
	if c.OtherModels > 0 {
		fmt.Fprintf(p.out, ", %d side-cars of other models skipped", c.OtherModels)
	}
	if c.Unclassified > 0 {
		fmt.Fprintf(p.out, ", %d images without a selected class left out", c.Unclassified)
	}
	if c.LaterBoxes > 0 {
		fmt.Fprintf(p.out, ", %d boxes in later frames of animations left out", c.LaterBoxes)
	}
	if c.OutsideBoxes > 0 {
		fmt.Fprintf(p.out, ", %d boxes outside their images left out", c.OutsideBoxes)
	}
	fmt.Fprintln(p.out)
}
